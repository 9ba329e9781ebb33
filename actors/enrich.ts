// Enrichment: a tick gets its meaning as of arrival: taxonomy, tags, region, time of day, season, and how
// volatile and liquid its instrument has lately been. The instrument's own last prices are the state.

import { Defect } from './domain/invariant.ts';
import { type MarketCalendar, marketCalendar } from './domain/operating-day.ts';
import { isRejection, type Rejection, reject } from './domain/rejection.ts';
import { HOUR_MS, toMs } from './domain/time.ts';
import type { EnrichedTick, InstrumentType } from './domain/wire.ts';
import type { EnrichmentOptions, MarketTaxonomy, TimePeriod, ValueClass } from './enrichment-options.ts';
import { locationKind } from './location-kind.ts';
import {
  NO_PRICES,
  packPrices,
  type RecentPrices,
  spreadOf,
  unpackPrices,
  withPrice,
} from './recent-prices.ts';
import { runOf } from './runs.ts';
import {
  type Emission,
  NO_TALLY,
  type Refused,
  type Stage,
  type StageRecord,
  type StageResult,
} from './stage.ts';
import { type ReadableTick, readWireTick } from './wire-tick.ts';

export interface EnrichmentState {
  readonly instrumentId: string;
  readonly recent: RecentPrices;
  readonly traded: number;
}

const PRICES_KEPT = 50;
const PRICES_WANTED = 5;

interface Rules {
  readonly options: EnrichmentOptions;
  readonly calendars: ReadonlyMap<string, MarketCalendar>;
}

export function enrichmentStage(options: EnrichmentOptions): Stage<EnrichmentState> {
  const calendars = [...options.markets].map(
    ([name, each]) => [name, marketCalendar(each.spec.zone)] as const,
  );
  const rules: Rules = { options, calendars: new Map(calendars) };
  return {
    name: 'enrichment',
    initial: (instrumentId) => ({ instrumentId, recent: NO_PRICES, traded: 0 }),
    process: (state, records) => process(rules, state, records),
    advance: (state) => ({ state, emissions: [], refused: [], tally: NO_TALLY, notes: [] }),
    store: (before, after) =>
      before?.recent === after.recent ? [] : [{ part: 'recent', bytes: packPrices(after.recent) }],
    restore(instrumentId, parts) {
      const bytes = parts.get('recent');
      if (bytes === undefined) throw new Defect(`${instrumentId} is stored without its recent prices`);
      return { instrumentId, recent: unpackPrices(bytes), traded: 0 };
    },
    inspect: ({ recent }) => ({
      prices_held: recent.prices.length,
      volatility_category: volatilityOf(recent),
      last_price: recent.prices.at(-1) ?? null,
    }),
  };
}

function process(
  rules: Rules,
  before: EnrichmentState,
  records: readonly StageRecord[],
): StageResult<EnrichmentState> {
  let state = before;
  const emissions: Emission[] = [];
  const refused: Refused[] = [];
  for (const { offset, value } of records) {
    const tick = readWireTick(value, state.instrumentId);
    const enriched = isRejection(tick) ? tick : enrichOne(rules, state, tick);
    if (isRejection(enriched)) refused.push({ offset, rejection: enriched });
    else {
      state = enriched.state;
      emissions.push({ to: 'enriched', value: enriched.value });
    }
  }
  const tally = { ...NO_TALLY, forwarded: emissions.length, rejected: refused.length };
  return { state, emissions, refused, tally, notes: [] };
}

function enrichOne(
  { options, calendars }: Rules,
  state: EnrichmentState,
  tick: ReadableTick,
): { state: EnrichmentState; value: string } | Rejection {
  const market = options.markets.get(tick.market);
  const calendar = calendars.get(tick.market);
  if (market === undefined || calendar === undefined) {
    return reject('unknown_market', `no taxonomy for market '${tick.market}'`, 'market');
  }
  const startMs = toMs(tick.interval_start);
  const recent =
    tick.price === null ? state.recent : withPrice(state.recent, startMs, tick.price, PRICES_KEPT);
  const { normalization_metadata: _, ...kept } = tick.record;
  const enriched = {
    ...kept,
    producer: 'enrichment-service',
    ...meaningOf(options, market, calendar, tick, recent),
  };
  return { state: { ...state, recent }, value: JSON.stringify(enriched) };
}

type Meaning = Pick<
  EnrichedTick,
  | 'semantic_tags'
  | 'taxonomy_class'
  | 'taxonomy_subclass'
  | 'market_segment'
  | 'geographic_region'
  | 'time_of_day_category'
  | 'seasonal_category'
  | 'volatility_category'
  | 'liquidity_category'
  | 'enrichment_metadata'
>;

function meaningOf(
  options: EnrichmentOptions,
  market: MarketTaxonomy,
  calendar: MarketCalendar,
  tick: ReadableTick,
  recent: RecentPrices,
): Meaning {
  const { apply } = options;
  const day = calendar.dayOf(toMs(tick.interval_start));
  const hour = localHour(day.startMs, day.endMs, toMs(tick.interval_start));
  const kind = locationKind(tick.delivery_location);
  const period = periodAt(market.periods, hour);
  const priceClass = tick.price === null ? null : classOf(market.priceClasses, tick.price);
  const quantityClass = tick.quantity === null ? null : classOf(market.quantityClasses, tick.quantity);
  const run = runOf(market.spec, tick.run);
  const made = {
    taxonomy_class: apply.taxonomy ? tick.instrument_type : null,
    taxonomy_subclass: apply.taxonomy ? kind : null,
    market_segment: apply.taxonomy ? (run?.kind ?? null) : null,
    geographic_region: apply.geospatial ? market.region : null,
    time_of_day_category: period?.name ?? null,
    seasonal_category: seasonOf(day.date),
    volatility_category: volatilityOf(recent),
    liquidity_category: liquidityOf(kind, tick.quantity),
  };
  const tags = apply.semanticTags
    ? tagsOf(options, market, tick, { kind, period, priceClass, quantityClass })
    : [];
  const filled = Object.values(made).filter((each) => each !== null).length;
  const score = filled / Object.keys(made).length;
  const details = { price_class: priceClass?.name ?? null, quantity_class: quantityClass?.name ?? null };
  return {
    ...made,
    semantic_tags: tags,
    enrichment_metadata: apply.metadata
      ? { enrichment_score: score, ...details }
      : { enrichment_score: score },
  };
}

/**
 * Hours since the start of the operating day, as the clock on the wall shows them on all but the changing
 * day.
 */
function localHour(startMs: number, endMs: number, atMs: number): number {
  const index = Math.floor((atMs - startMs) / HOUR_MS);
  const shift = 24 - (endMs - startMs) / HOUR_MS;
  return index < 2 ? index : Math.min(23, Math.max(0, index + shift));
}

/** The class that holds a value; the outer ones are open. Null in a gap, and when there is no class. */
export function classOf(classes: readonly ValueClass[], value: number): ValueClass | null {
  const sorted = [...classes].sort((a, b) => a.min - b.min);
  let found: ValueClass | null = null;
  for (const each of sorted) if (found === null || value >= each.min) found = each;
  if (found === null || found === sorted.at(-1)) return found;
  return value < found.max ? found : null;
}

/** The shortest period that holds the hour; null when none does. */
export function periodAt(periods: readonly TimePeriod[], hour: number): TimePeriod | null {
  let found: TimePeriod | null = null;
  for (const each of periods) {
    if (hour < each.start || hour >= each.end) continue;
    if (found === null || each.end - each.start < found.end - found.start) found = each;
  }
  return found;
}

const SEASONS = ['winter', 'spring', 'summer', 'autumn'] as const;

/** Meteorological seasons of the northern hemisphere. */
function seasonOf(date: string): string {
  const month = Number(date.slice(5, 7));
  return SEASONS[Math.floor((month % 12) / 3)] ?? 'winter';
}

/**
 * By the deviation of the last prices over their mean magnitude: below 10 % low, 30 % moderate, 100 % high.
 */
function volatilityOf({ prices }: RecentPrices): string | null {
  if (prices.length < PRICES_WANTED) return null;
  const { deviation } = spreadOf(prices);
  const magnitude = spreadOf(prices.map(Math.abs)).mean;
  const ratio = magnitude === 0 ? 0 : deviation / magnitude;
  if (ratio < 0.1) return 'low_volatility';
  if (ratio < 0.3) return 'moderate_volatility';
  return ratio < 1 ? 'high_volatility' : 'extreme_volatility';
}

/** A trade by its quantity (MWh), a price by how many look at its location. */
function liquidityOf(kind: ReturnType<typeof locationKind>, quantity: number | null): string {
  if (quantity !== null)
    return quantity >= 1_000 ? 'high_liquidity' : quantity >= 100 ? 'medium_liquidity' : 'low_liquidity';
  return kind === 'hub' ? 'high_liquidity' : kind === 'node' ? 'medium_liquidity' : 'low_liquidity';
}

interface Found {
  readonly kind: ReturnType<typeof locationKind>;
  readonly period: TimePeriod | null;
  readonly priceClass: ValueClass | null;
  readonly quantityClass: ValueClass | null;
}

function tagsOf(
  options: EnrichmentOptions,
  market: MarketTaxonomy,
  tick: ReadableTick,
  found: Found,
): string[] {
  const { tagging, defaults } = options;
  const tags = new Set<string>();
  const add = (on: boolean, own: readonly string[], otherwise: readonly string[]): void => {
    if (on) for (const tag of own.length > 0 ? own : otherwise) tags.add(tag);
  };
  add(tagging.marketSpecific, [tick.market.toLowerCase()], []);
  add(tagging.dataTypeSpecific, market.instruments[typeKey(tick.instrument_type)], defaults.instruments);
  add(tagging.locationBased, market.locations[found.kind], defaults.locations);
  add(tagging.priceBased && tick.price !== null, found.priceClass?.tags ?? [], defaults.priceRanges);
  const sized = tagging.quantityBased && tick.quantity !== null;
  add(sized, found.quantityClass?.tags ?? [], defaults.quantityRanges);
  add(tagging.timeBased, found.period?.tags ?? [], defaults.timePeriods);
  return [...tags];
}

function typeKey(type: InstrumentType): Exclude<InstrumentType, 'lmp'> {
  return type === 'lmp' ? 'market_price' : type;
}
