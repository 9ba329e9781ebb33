// Data quality: every tick gets five sub-scores and a score, and what the detectors found becomes anomalies.
// Identities are of the tick's version, never of the moment: assessed again, the same tick gives the same
// ids, and its rows replace each other.

import type { AssessmentOptions, MarketRules } from './assessment-options.ts';
import { anomalyOf, scoreOf } from './assessment-records.ts';
import { detect, schemaOf } from './detectors.ts';
import { Defect } from './domain/invariant.ts';
import { isRejection, reject } from './domain/rejection.ts';
import { sealJson, unseal, unsealJson } from './domain/sealed.ts';
import { formatUtc, toMs } from './domain/time.ts';
import type { Tick } from './domain/wire.ts';
import type { Memory } from './finding.ts';
import {
  checkPrices,
  NO_PRICES,
  packPrices,
  type RecentPrices,
  unpackPrices,
  withPrice,
} from './recent-prices.ts';
import {
  type Emission,
  NO_TALLY,
  type Refused,
  type Stage,
  type StageRecord,
  type StageResult,
  type StoredPart,
  TIMELESS,
} from './stage.ts';
import { readWireTick } from './wire-tick.ts';

export interface AssessmentState extends Memory {
  readonly instrumentId: string;
}

/** Ticks of the duplicate window that are remembered, at most. */
const IDS_KEPT = 32;

export function assessmentStage(options: AssessmentOptions): Stage<AssessmentState> {
  return {
    name: 'data-quality',
    initial: (instrumentId) => ({
      instrumentId,
      prices: NO_PRICES,
      volumes: NO_PRICES,
      newestMs: null,
      schema: null,
      ids: [],
    }),
    process: (state, records, { nowMs }) => process(options, state, records, nowMs),
    advance: (state) => ({ state, emissions: [], refused: [], tally: NO_TALLY, notes: [] }),
    store,
    restore,
    dueMs: () => TIMELESS.dueMs,
    glance(instrumentId, parts) {
      const memory = parts.get('memory');
      if (memory === undefined) throw new Defect(`${instrumentId} is stored without its memory`);
      unseal(memory, [1]);
      for (const [part, bytes] of parts) if (part !== 'memory') checkPrices(bytes);
      return TIMELESS;
    },
    inspect: ({ prices, volumes, newestMs, schema }) => ({
      prices_held: prices.prices.length,
      volumes_held: volumes.prices.length,
      newest: newestMs === null ? null : formatUtc(newestMs),
      schema,
    }),
  };
}

/** `memory` stands with every stored instrument; the others where they hold something. */
function store(before: AssessmentState | null, after: AssessmentState): StoredPart[] {
  if (before === after) return [];
  const { newestMs, schema, ids } = after;
  const parts: StoredPart[] = [{ part: 'memory', bytes: sealJson(1, { newestMs, schema, ids }) }];
  if (before?.prices !== after.prices) parts.push({ part: 'prices', bytes: packPrices(after.prices) });
  if (before?.volumes !== after.volumes) parts.push({ part: 'volumes', bytes: packPrices(after.volumes) });
  return parts;
}

function restore(instrumentId: string, parts: ReadonlyMap<string, Uint8Array>): AssessmentState {
  const memory = parts.get('memory');
  if (memory === undefined) throw new Defect(`${instrumentId} is stored without its memory`);
  const value = unsealJson(memory, [1]);
  if (typeof value !== 'object' || value === null) throw new Defect('the memory is an object');
  const newestMs: unknown = Reflect.get(value, 'newestMs');
  const schema: unknown = Reflect.get(value, 'schema');
  const ids: unknown = Reflect.get(value, 'ids');
  return {
    instrumentId,
    prices: unpacked(parts.get('prices')),
    volumes: unpacked(parts.get('volumes')),
    newestMs: typeof newestMs === 'number' ? newestMs : null,
    schema: typeof schema === 'string' ? schema : null,
    ids: Array.isArray(ids) ? ids : [],
  };
}

function unpacked(bytes: Uint8Array | undefined): RecentPrices {
  return bytes === undefined ? NO_PRICES : unpackPrices(bytes);
}

function process(
  options: AssessmentOptions,
  before: AssessmentState,
  records: readonly StageRecord[],
  nowMs: number,
): StageResult<AssessmentState> {
  let state = before;
  const emissions: Emission[] = [];
  const refused: Refused[] = [];
  for (const { offset, value } of records) {
    const tick = readWireTick(value, state.instrumentId);
    const rules = isRejection(tick) ? undefined : options.markets.get(tick.market);
    if (isRejection(tick)) refused.push({ offset, rejection: tick });
    else if (rules === undefined) {
      const rejection = reject('unknown_market', `the product has no market '${tick.market}'`, 'market');
      refused.push({ offset, rejection });
    } else {
      assessOne(options, rules, state, tick, nowMs, emissions);
      state = remember(state, tick, options, nowMs);
    }
  }
  const tally = {
    ...NO_TALLY,
    forwarded: records.length - refused.length,
    rejected: refused.length,
  };
  return { state, emissions, refused, tally, notes: [] };
}

function assessOne(
  options: AssessmentOptions,
  rules: MarketRules,
  memory: Memory,
  tick: Tick,
  nowMs: number,
  emissions: Emission[],
): void {
  const findings = detect({ tick, memory, options, rules, nowMs });
  for (const finding of findings) {
    emissions.push({
      to: 'anomalies',
      value: JSON.stringify(anomalyOf(finding, tick, options.tenantId, nowMs)),
    });
  }
  const score = scoreOf(findings, tick, rules, options.tenantId, nowMs);
  emissions.push({ to: 'scores', value: JSON.stringify(score) });
}

function remember(
  state: AssessmentState,
  tick: Tick,
  { detection }: AssessmentOptions,
  nowMs: number,
): AssessmentState {
  const { priceBuffer, volumeBuffer, duplicateWindowMs } = detection;
  const startMs = toMs(tick.interval_start);
  const { prices, volumes, newestMs } = state;
  const recent = state.ids.slice(1 - IDS_KEPT).filter(({ atMs }) => nowMs - atMs <= duplicateWindowMs);
  recent.push({ id: tick.event_id, atMs: nowMs });
  return {
    instrumentId: state.instrumentId,
    prices: tick.price === null ? prices : withPrice(prices, startMs, tick.price, priceBuffer),
    volumes: tick.quantity === null ? volumes : withPrice(volumes, startMs, tick.quantity, volumeBuffer),
    newestMs: Math.max(newestMs ?? startMs, startMs),
    schema: schemaOf(tick),
    ids: recent,
  };
}
