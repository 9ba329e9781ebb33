// The detectors of data quality: each looks at one tick against what its instrument showed before, and says
// what it found in numbers. Pure; as of arrival, so exempt from order independence (design §2).

import type { AssessmentOptions, MarketRules, Range } from './assessment-options.ts';
import type { MarketCalendar } from './domain/operating-day.ts';
import { MINUTE_MS, toMs } from './domain/time.ts';
import type { Severity, Tick } from './domain/wire.ts';
import { type RecentPrices, spreadOf } from './recent-prices.ts';

export interface Finding {
  readonly type: string;
  readonly category: 'statistical' | 'completeness' | 'consistency' | 'validity';
  readonly severity: Severity;
  readonly field: string;
  readonly description: string;
  readonly expected: string | null;
  readonly actual: string | null;
  readonly threshold: number | null;
  readonly deviation: number | null;
  readonly algorithm: string;
}

/** What is known of an instrument before the tick. */
export interface Memory {
  readonly prices: RecentPrices;
  readonly volumes: RecentPrices;
  readonly newestMs: number | null;
  /** Which value fields the last tick had, as a list joined by commas; null before the first. */
  readonly schema: string | null;
  readonly ids: readonly { readonly id: string; readonly atMs: number }[];
}

export interface Look {
  readonly tick: Tick;
  readonly memory: Memory;
  readonly options: AssessmentOptions;
  readonly rules: MarketRules;
  readonly calendar: MarketCalendar;
  readonly nowMs: number;
}

export function detect(look: Look): Finding[] {
  const { features } = look.options;
  return [
    ...(features.duplicate ? duplicate(look) : []),
    ...(features.priceSpike ? priceSpike(look) : []),
    ...(features.volume ? volumeSpike(look) : []),
    ...(features.outlier ? outlier(look) : []),
    ...(features.missing ? missing(look) : []),
    ...(features.schemaDrift ? schemaDrift(look) : []),
    ...(features.validation ? validation(look) : []),
  ];
}

function duplicate({ tick, memory, options, nowMs }: Look): Finding[] {
  const { duplicateWindowMs, duplicateSeverity } = options.detection;
  const seen = memory.ids.find((each) => each.id === tick.event_id && nowMs - each.atMs <= duplicateWindowMs);
  if (seen === undefined) return [];
  return [
    {
      type: 'duplicate',
      category: 'consistency',
      severity: duplicateSeverity,
      field: 'event_id',
      description: `the same version came again ${nowMs - seen.atMs} ms later`,
      expected: 'each version once',
      actual: tick.event_id,
      threshold: duplicateWindowMs / 1_000,
      deviation: null,
      algorithm: 'identity',
    },
  ];
}

function priceSpike({ tick, memory, options }: Look): Finding[] {
  const { priceSpikeThreshold, priceSpikeHigh, priceSpikeCritical, minSamples } = options.detection;
  const score = zScore(memory.prices, tick.price, minSamples);
  if (score === null || score.z < priceSpikeThreshold) return [];
  const severity = score.z >= priceSpikeCritical ? 'critical' : score.z >= priceSpikeHigh ? 'high' : 'medium';
  return [spike('price_spike', 'price', severity, score, tick.price, priceSpikeThreshold)];
}

function volumeSpike({ tick, memory, options }: Look): Finding[] {
  const { volumeSpikeThreshold, volumeSpikeHigh, minSamples } = options.detection;
  const score = zScore(memory.volumes, tick.quantity, minSamples);
  if (score === null || score.z < volumeSpikeThreshold) return [];
  const severity = score.z >= volumeSpikeHigh ? 'high' : 'medium';
  return [spike('volume_spike', 'quantity', severity, score, tick.quantity, volumeSpikeThreshold)];
}

interface Score {
  readonly z: number;
  readonly mean: number;
}

/**
 * Distance from the mean of the values before, in sample standard deviations; null without enough of them.
 */
function zScore(before: RecentPrices, value: number | null, minSamples: number): Score | null {
  if (value === null || before.prices.length < minSamples) return null;
  const { mean, deviation } = spreadOf(before.prices);
  return deviation === 0 ? null : { z: Math.abs(value - mean) / deviation, mean };
}

function spike(
  type: string,
  field: string,
  severity: Severity,
  score: Score,
  value: number | null,
  threshold: number,
): Finding {
  return {
    type,
    category: 'statistical',
    severity,
    field,
    description: `${field} ${value} lies ${score.z.toFixed(1)} standard deviations from its recent mean`,
    expected: String(score.mean),
    actual: String(value),
    threshold,
    deviation: (value ?? 0) - score.mean,
    algorithm: 'z_score',
  };
}

function outlier({ tick, memory, options }: Look): Finding[] {
  const { outlierMethod, outlierThreshold, minSamples } = options.detection;
  const { prices } = memory.prices;
  if (tick.price === null || prices.length < minSamples) return [];
  const fence =
    outlierMethod === 'iqr' ? iqrFence(prices, outlierThreshold) : zFence(prices, outlierThreshold);
  const { price } = tick;
  if (price >= fence.low && price <= fence.high) return [];
  const beyond = price < fence.low ? fence.low : fence.high;
  return [
    {
      type: 'outlier',
      category: 'statistical',
      severity: 'medium',
      field: 'price',
      description: `price ${price} is outside of ${fence.low} to ${fence.high}`,
      expected: `${fence.low} to ${fence.high}`,
      actual: String(price),
      threshold: outlierThreshold,
      deviation: price - beyond,
      algorithm: outlierMethod,
    },
  ];
}

interface Fence {
  readonly low: number;
  readonly high: number;
}

/** Quartiles (type 7) widened by `threshold` interquartile ranges: Tukey's fences. */
function iqrFence(prices: readonly number[], threshold: number): Fence {
  const sorted = [...prices].sort((a, b) => a - b);
  const at = (share: number): number => {
    const position = (sorted.length - 1) * share;
    const below = sorted[Math.floor(position)] ?? 0;
    const above = sorted[Math.ceil(position)] ?? below;
    return below + (position - Math.floor(position)) * (above - below);
  };
  const reach = threshold * (at(0.75) - at(0.25));
  return { low: at(0.25) - reach, high: at(0.75) + reach };
}

function zFence(prices: readonly number[], threshold: number): Fence {
  const { mean, deviation } = spreadOf(prices);
  return { low: mean - threshold * deviation, high: mean + threshold * deviation };
}

/** Expected intervals between the newest tick before and this one, within an operating day. */
function missing({ tick, memory, options, rules, calendar }: Look): Finding[] {
  const startMs = toMs(tick.interval_start);
  const stepMs = (rules.spec.runs[tick.run]?.intervalMinutes ?? 0) * MINUTE_MS;
  const { newestMs } = memory;
  if (stepMs === 0 || newestMs === null || startMs <= newestMs + stepMs) return [];
  if (calendar.dayOf(newestMs).date !== calendar.dayOf(startMs).date) return [];
  if (startMs - newestMs - stepMs < Math.min(options.detection.missingWindowMs, stepMs)) return [];
  let gaps = 0;
  for (let at = newestMs + stepMs; at < startMs; at += stepMs) {
    if (rules.spec.expects(tick.delivery_location, at)) gaps += 1;
  }
  if (gaps === 0) return [];
  return [
    {
      type: 'missing_data',
      category: 'completeness',
      severity: options.detection.missingSeverity,
      field: 'interval_start',
      description: `${gaps} expected intervals are missing before this one`,
      expected: new Date(newestMs + stepMs).toISOString(),
      actual: new Date(startMs).toISOString(),
      threshold: options.detection.missingWindowMs / MINUTE_MS,
      deviation: gaps,
      algorithm: 'interval_calendar',
    },
  ];
}

const COMPONENTS = [
  'price',
  'energy_price',
  'congestion_price',
  'loss_price',
  'ghg_price',
  'quantity',
] as const;

/** Names of the value fields that a tick has. */
export function schemaOf(tick: Tick): string {
  return COMPONENTS.filter((field) => tick[field] !== null).join(',');
}

function schemaDrift({ tick, memory }: Look): Finding[] {
  const schema = schemaOf(tick);
  if (memory.schema === null || memory.schema === schema) return [];
  return [
    {
      type: 'schema_drift',
      category: 'consistency',
      severity: 'low',
      field: 'values',
      description: `the fields with a value changed from '${memory.schema}' to '${schema}'`,
      expected: memory.schema,
      actual: schema,
      threshold: null,
      deviation: null,
      algorithm: 'field_set',
    },
  ];
}

function validation(look: Look): Finding[] {
  const { tick, rules } = look;
  const found = tick.validation_errors.map((error) => invalid('validation_error', 'medium', 'record', error));
  const price = outside('price', tick.price, rules.price);
  const quantity = outside('quantity', tick.quantity, rules.quantity);
  const absent = rules.requiredFields
    .filter((field) => (Reflect.get(tick, field) ?? null) === null)
    .map((field) => invalid('validation_error', 'high', field, `${field} is required and absent`));
  return [...found, ...price, ...quantity, ...absent, ...crossField(look)];
}

function outside(field: string, value: number | null, range: Range): Finding[] {
  if (value === null) return [];
  if (value < range.min || value > range.max) {
    const detail = `${field} ${value} is outside of the market's ${range.min} to ${range.max}`;
    return [invalid('range_violation', 'high', field, detail)];
  }
  if (value <= range.warningThreshold) return [];
  return [invalid('range_warning', 'low', field, `${field} ${value} is above ${range.warningThreshold}`)];
}

function crossField({ tick, options }: Look): Finding[] {
  const found: Finding[] = [];
  for (const { name, condition, severity, tolerance } of options.crossField) {
    const off = condition === 'lmp_equals_components' ? componentsOff(tick) : bidOfferOff(tick);
    if (off !== null && off > tolerance) {
      found.push(invalid('validation_error', severity, 'price', `rule ${name}: off by ${off.toFixed(6)}`));
    }
  }
  return found;
}

/**
 * |LMP − Σ components| when every component of a five-part price is there; a missing one is unknown, not 0.
 */
function componentsOff(tick: Tick): number | null {
  const { price, energy_price, congestion_price, loss_price, ghg_price } = tick;
  if (price === null || energy_price === null || congestion_price === null || loss_price === null)
    return null;
  if (ghg_price === null) return null;
  return Math.abs(price - energy_price - congestion_price - loss_price - ghg_price);
}

function bidOfferOff({ price, bid_price, offer_price }: Tick): number | null {
  if (price === null || bid_price === null || offer_price === null) return null;
  return Math.max(0, bid_price - price, price - offer_price);
}

function invalid(type: string, severity: Severity, field: string, description: string): Finding {
  return {
    type,
    category: 'validity',
    severity,
    field,
    description,
    expected: null,
    actual: null,
    threshold: null,
    deviation: null,
    algorithm: 'rules',
  };
}
