// Rules on one tick by itself: the errors that normalization already found, the market's ranges and required
// fields, and relations between fields. A component that is missing is unknown, never 0, so a relation over
// it is not judged.

import type { CrossFieldRule, Range } from './assessment-options.ts';
import type { Severity, Tick } from './domain/wire.ts';
import type { Finding, Look } from './finding.ts';

export function validation({ tick, rules, options }: Look): readonly Finding[] {
  const found: Finding[] = [];
  for (const error of tick.validation_errors) {
    const field = /^[a-z_]{1,40}/.exec(error)?.[0] ?? 'record';
    found.push(invalid('validation_error', 'medium', field, `field_validation.${field}`, error));
  }
  if (tick.quality_flags.includes('label_mismatch')) found.push(LABEL_MISMATCH);
  checkRange(found, 'price', tick.price, rules.price);
  checkRange(found, 'quantity', tick.quantity, rules.quantity);
  for (const field of rules.requiredFields) {
    if (isThere(tick, field)) continue;
    const rule = `required.${field}`;
    found.push(invalid('validation_error', 'high', field, rule, `${field} is required and absent`));
  }
  for (const rule of options.crossField) checkRelation(found, rule, tick);
  return found;
}

export function isThere(tick: Tick, field: string): boolean {
  const value: unknown = Reflect.get(tick, field);
  return value !== null && value !== undefined && value !== '';
}

const LABEL_MISMATCH: Finding = {
  ...invalid(
    'label_mismatch',
    'medium',
    'delivery_hour',
    'label_mismatch',
    'the operator’s labels of day or hour do not belong to the interval',
  ),
  category: 'consistency',
};

function checkRange(found: Finding[], field: string, value: number | null, range: Range): void {
  if (value === null) return;
  const { min, max, warningThreshold } = range;
  if (value < min || value > max) {
    const detail = `${field} ${value} is outside of the market's ${min} to ${max}`;
    const bound = value < min ? min : max;
    found.push({
      ...invalid('range_violation', 'high', field, `range.${field}`, detail),
      expected: `${min} to ${max}`,
      actual: String(value),
      threshold: bound,
      deviation: value - bound,
    });
  } else if (value > warningThreshold) {
    const detail = `${field} ${value} is above ${warningThreshold}`;
    found.push({
      ...invalid('range_warning', 'low', field, `range_warning.${field}`, detail),
      actual: String(value),
      threshold: warningThreshold,
      deviation: value - warningThreshold,
    });
  }
}

function checkRelation(found: Finding[], rule: CrossFieldRule, tick: Tick): void {
  const { name, condition, severity, tolerance } = rule;
  const off = RELATIONS[condition]?.(tick) ?? null;
  if (off === null || !(off > tolerance)) return;
  const detail = `rule ${name}: off by ${off.toFixed(6)}`;
  found.push({
    ...invalid('validation_error', severity, 'price', name, detail),
    threshold: tolerance,
    deviation: off,
  });
}

/** How far a tick is from the relation; null when it cannot be judged. */
const RELATIONS: Readonly<Record<string, (tick: Tick) => number | null>> = {
  lmp_equals_components({ price, energy_price, congestion_price, loss_price, ghg_price }) {
    if (!areNumbers(price, energy_price, congestion_price, loss_price, ghg_price)) return null;
    const sum = Number(energy_price) + Number(congestion_price) + Number(loss_price) + Number(ghg_price);
    return Math.abs(Number(price) - sum);
  },
  price_within_bid_offer({ price, bid_price, offer_price }) {
    if (!areNumbers(price, bid_price, offer_price)) return null;
    return Math.max(0, Number(bid_price) - Number(price), Number(price) - Number(offer_price));
  },
};

function areNumbers(...values: readonly unknown[]): boolean {
  return values.every((value) => typeof value === 'number');
}

function invalid(
  type: string,
  severity: Severity,
  field: string,
  rule: string,
  description: string,
): Finding {
  return {
    type,
    category: 'validity',
    severity,
    field,
    rule,
    description,
    expected: null,
    actual: null,
    threshold: null,
    deviation: null,
    deviationPercent: null,
    algorithm: 'rules',
  };
}
