// The detectors of data quality: each looks at one tick against what its instrument showed before, and says
// what it found in numbers. Statistics are over the values of earlier event time, so that neither a revision
// nor an old recording is measured by what came after it. The rules on a tick by itself are in validation.ts.

import { iqrFence, zFence, zScore } from './deviation.ts';
import { MINUTE_MS, toMs } from './domain/time.ts';
import type { Severity, Tick } from './domain/wire.ts';
import type { Finding, Look } from './finding.ts';
import { valuesBefore } from './recent-prices.ts';
import { validation } from './validation.ts';

/** In the order of the detectors; empty for most ticks. */
export function detect(look: Look): readonly Finding[] {
  const { features } = look.options;
  const found: (Finding | null)[] = [
    features.duplicate ? duplicate(look) : null,
    features.priceSpike ? priceSpike(look) : null,
    features.volume ? volumeSpike(look) : null,
    features.outlier ? outlier(look) : null,
    features.missing ? missing(look) : null,
    features.missing ? stale(look) : null,
    features.schemaDrift ? schemaDrift(look) : null,
  ];
  const first = found.filter((each) => each !== null);
  return features.validation ? [...first, ...validation(look)] : first;
}

function duplicate({ tick, memory, options, nowMs }: Look): Finding | null {
  const { duplicateWindowMs, duplicateSeverity } = options.detection;
  const seen = memory.ids.find((each) => each.id === tick.event_id && nowMs - each.atMs <= duplicateWindowMs);
  if (seen === undefined) return null;
  return {
    type: 'duplicate',
    category: 'consistency',
    severity: duplicateSeverity,
    field: 'event_id',
    rule: 'duplicate',
    description: `the same version came again ${nowMs - seen.atMs} ms later`,
    expected: 'each version once',
    actual: tick.event_id,
    threshold: duplicateWindowMs / 1_000,
    deviation: null,
    deviationPercent: null,
    algorithm: 'identity',
  };
}

function priceSpike({ tick, memory, options }: Look): Finding | null {
  const { priceSpikeThreshold, priceSpikeHigh, priceSpikeCritical, minSamples } = options.detection;
  if (tick.price === null) return null;
  const score = zScore(valuesBefore(memory.prices, toMs(tick.interval_start)), tick.price, minSamples);
  if (score === null || score.z < priceSpikeThreshold) return null;
  const severity = score.z >= priceSpikeCritical ? 'critical' : score.z >= priceSpikeHigh ? 'high' : 'medium';
  return spike('price_spike', 'price', severity, score, tick.price, priceSpikeThreshold);
}

function volumeSpike({ tick, memory, options }: Look): Finding | null {
  const { volumeSpikeThreshold, volumeSpikeHigh, minSamples } = options.detection;
  if (tick.quantity === null) return null;
  const score = zScore(valuesBefore(memory.volumes, toMs(tick.interval_start)), tick.quantity, minSamples);
  if (score === null || score.z < volumeSpikeThreshold) return null;
  const severity = score.z >= volumeSpikeHigh ? 'high' : 'medium';
  return spike('volume_spike', 'quantity', severity, score, tick.quantity, volumeSpikeThreshold);
}

function spike(
  type: string,
  field: string,
  severity: Severity,
  { z, mean }: { readonly z: number; readonly mean: number },
  value: number,
  threshold: number,
): Finding {
  return {
    type,
    category: 'statistical',
    severity,
    field,
    rule: type,
    description: `${field} ${value} lies ${z.toFixed(1)} standard deviations from its recent mean`,
    expected: String(mean),
    actual: String(value),
    threshold,
    deviation: value - mean,
    deviationPercent: mean === 0 ? null : ((value - mean) / Math.abs(mean)) * 100,
    algorithm: 'z_score',
  };
}

function outlier({ tick, memory, options }: Look): Finding | null {
  const { outlierMethod, outlierThreshold, minSamples } = options.detection;
  const { price } = tick;
  if (price === null) return null;
  const prices = valuesBefore(memory.prices, toMs(tick.interval_start));
  if (prices.length < minSamples) return null;
  const { low, high } =
    outlierMethod === 'iqr' ? iqrFence(prices, outlierThreshold) : zFence(prices, outlierThreshold);
  if (price >= low && price <= high) return null;
  return {
    type: 'outlier',
    category: 'statistical',
    severity: 'medium',
    field: 'price',
    rule: `outlier_${outlierMethod}`,
    description: `price ${price} is outside of ${low} to ${high}`,
    expected: `${low} to ${high}`,
    actual: String(price),
    threshold: outlierThreshold,
    deviation: price - (price < low ? low : high),
    deviationPercent: null,
    algorithm: outlierMethod,
  };
}

/** A longer silence is not a hole but the stretch between two recordings. */
const HOLE_MS_MAX = 48 * 60 * MINUTE_MS;

/** Expected intervals without data between the newest tick before and this one, if they last long enough. */
function missing({ tick, memory, options, rules }: Look): Finding | null {
  const { missingWindowMs, missingSeverity } = options.detection;
  const startMs = toMs(tick.interval_start);
  const stepMs = (rules.spec.runs[tick.run]?.intervalMinutes ?? 0) * MINUTE_MS;
  const { newestMs } = memory;
  if (stepMs === 0 || newestMs === null) return null;
  if (startMs <= newestMs + stepMs || startMs - newestMs > HOLE_MS_MAX) return null;
  let holes = 0;
  for (let at = newestMs + stepMs; at < startMs; at += stepMs) {
    if (rules.spec.expects(tick.delivery_location, at)) holes += 1;
  }
  if (holes === 0 || holes * stepMs < missingWindowMs) return null;
  return {
    type: 'missing_data',
    category: 'completeness',
    severity: missingSeverity,
    field: 'interval_start',
    rule: 'missing_data',
    description: `${holes} expected intervals are missing before this one`,
    expected: new Date(newestMs + stepMs).toISOString(),
    actual: new Date(startMs).toISOString(),
    threshold: missingWindowMs / MINUTE_MS,
    deviation: holes,
    deviationPercent: null,
    algorithm: 'interval_calendar',
  };
}

/** How late a tick of a live feed is; never of a recording, which is old by nature. */
function stale({ tick, rules, nowMs }: Look): Finding | null {
  const ageMs = nowMs - toMs(tick.publication);
  if (!rules.live || ageMs <= rules.dataFreshnessMs) return null;
  return {
    type: 'stale_data',
    category: 'timeliness',
    severity: 'medium',
    field: 'publication',
    rule: 'data_freshness',
    description: `it was published ${Math.round(ageMs / 1_000)} s before it was assessed`,
    expected: `within ${rules.dataFreshnessMs / MINUTE_MS} minutes`,
    actual: new Date(toMs(tick.publication)).toISOString(),
    threshold: rules.dataFreshnessMs / MINUTE_MS,
    deviation: (ageMs - rules.dataFreshnessMs) / MINUTE_MS,
    deviationPercent: null,
    algorithm: 'freshness',
  };
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
  let names = '';
  for (const field of COMPONENTS) {
    if (typeof tick[field] === 'number') names += names === '' ? field : `,${field}`;
  }
  return names;
}

function schemaDrift({ tick, memory }: Look): Finding | null {
  const schema = schemaOf(tick);
  if (memory.schema === null || memory.schema === schema) return null;
  return {
    type: 'schema_drift',
    category: 'consistency',
    severity: 'low',
    field: 'values',
    rule: 'schema_drift',
    description: `the fields with a value changed from '${memory.schema}' to '${schema}'`,
    expected: memory.schema,
    actual: schema,
    threshold: null,
    deviation: null,
    deviationPercent: null,
    algorithm: 'field_set',
  };
}
