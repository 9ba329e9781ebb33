// Enrichment: a tick gets its meaning as of arrival: taxonomy, tags, region, time of day, season, and how
// volatile and liquid its instrument has lately been. The instrument's own last prices and quantities are the
// state.

import { Defect } from './domain/invariant.ts';
import { type MarketCalendar, marketCalendar } from './domain/operating-day.ts';
import { isRejection, type Rejection, reject } from './domain/rejection.ts';
import { toMs } from './domain/time.ts';
import type { EnrichedTick, Tick } from './domain/wire.ts';
import type {
  EnrichmentOptions,
  LocationKind,
  MarketTaxonomy,
  TimePeriod,
  ValueClass,
} from './enrichment-options.ts';
import { tagsOf } from './enrichment-tags.ts';
import { locationKind } from './location-kind.ts';
import {
  checkPrices,
  NO_PRICES,
  packPrices,
  type RecentPrices,
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
  type StoredPart,
  TIMELESS,
} from './stage.ts';
import { readWireTick } from './wire-tick.ts';

export interface EnrichmentState {
  readonly instrumentId: string;
  readonly recent: RecentPrices;
  /** Empty for instruments that are priced and not traded. */
  readonly quantities: RecentPrices;
}

const KEPT = 50;
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
    initial: (instrumentId) => ({ instrumentId, recent: NO_PRICES, quantities: NO_PRICES }),
    process: (state, records) => process(rules, state, records),
    advance: (state) => ({ state, emissions: [], refused: [], tally: NO_TALLY, notes: [] }),
    store,
    restore(instrumentId, parts) {
      const recent = parts.get('recent');
      const quantities = parts.get('quantities');
      if (recent === undefined) throw new Defect(`${instrumentId} is stored without its recent prices`);
      return {
        instrumentId,
        recent: unpackPrices(recent),
        quantities: quantities === undefined ? NO_PRICES : unpackPrices(quantities),
      };
    },
    dueMs: () => TIMELESS.dueMs,
    glance(instrumentId, parts) {
      if (!parts.has('recent')) throw new Defect(`${instrumentId} is stored without its recent prices`);
      for (const bytes of parts.values()) checkPrices(bytes);
      return TIMELESS;
    },
    inspect: ({ recent, quantities }) => ({
      prices_held: recent.prices.length,
      quantities_held: quantities.prices.length,
      volatility_category: volatilityOf(recent.prices),
      last_price: recent.prices.at(-1) ?? null,
    }),
  };
}

/** `recent` stands with every stored instrument; `quantities` only where there are any. */
function store(before: EnrichmentState | null, after: EnrichmentState): StoredPart[] {
  const traded = before?.quantities !== after.quantities && after.quantities !== NO_PRICES;
  const parts: StoredPart[] = [];
  if (before?.recent !== after.recent || traded)
    parts.push({ part: 'recent', bytes: packPrices(after.recent) });
  if (traded) parts.push({ part: 'quantities', bytes: packPrices(after.quantities) });
  return parts;
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
  before: EnrichmentState,
  tick: Tick,
): { state: EnrichmentState; value: string } | Rejection {
  const market = options.markets.get(tick.market);
  const calendar = calendars.get(tick.market);
  if (market === undefined || calendar === undefined) {
    return reject('unknown_market', `no taxonomy for market '${tick.market}'`, 'market');
  }
  const startMs = toMs(tick.interval_start);
  const kept = (of: RecentPrices, value: number | null): RecentPrices =>
    value === null ? of : withPrice(of, startMs, value, KEPT);
  const state = {
    ...before,
    recent: kept(before.recent, tick.price),
    quantities: kept(before.quantities, tick.quantity),
  };
  const enriched = {
    ...tick,
    normalization_metadata: undefined,
    producer: 'enrichment-service',
    ...meaningOf(options, market, calendar, tick, state),
  };
  return { state, value: JSON.stringify(enriched) };
}

type Meaning = Omit<EnrichedTick, keyof Tick>;

function meaningOf(
  options: EnrichmentOptions,
  market: MarketTaxonomy,
  calendar: MarketCalendar,
  tick: Tick,
  { recent, quantities }: EnrichmentState,
): Meaning {
  const { apply } = options;
  const startMs = toMs(tick.interval_start);
  const kind = locationKind(tick.delivery_location);
  const period = periodAt(market.periods, localHour(calendar, startMs));
  const priceClass = tick.price === null ? null : classOf(market.priceClasses, tick.price);
  const quantityClass = tick.quantity === null ? null : classOf(market.quantityClasses, tick.quantity);
  const made = {
    taxonomy_class: apply.taxonomy ? tick.instrument_type : null,
    taxonomy_subclass: apply.taxonomy ? kind : null,
    market_segment: apply.taxonomy ? (runOf(market.spec, tick.run)?.kind ?? null) : null,
    geographic_region: apply.geospatial ? market.region : null,
    time_of_day_category: period?.name ?? null,
    seasonal_category: seasonOf(calendar.dayOf(startMs).date),
    volatility_category: volatilityOf(recent.prices),
    liquidity_category: liquidityOf(quantities.prices, kind),
  };
  const score = shareFilled(made);
  const details = { price_class: priceClass?.name ?? null, quantity_class: quantityClass?.name ?? null };
  return {
    ...made,
    semantic_tags: apply.semanticTags
      ? tagsOf(options, market, tick, { kind, period, priceClass, quantityClass })
      : [],
    enrichment_metadata: apply.metadata
      ? { enrichment_score: score, ...details }
      : { enrichment_score: score },
  };
}

function shareFilled(of: Readonly<Record<string, string | null>>): number {
  let filled = 0;
  let all = 0;
  for (const field in of) {
    all += 1;
    if (of[field] !== null) filled += 1;
  }
  return filled / all;
}

/** 0–23, as the clock on the wall shows it: the repeated hour of a fall day (HE 25) is 1 again. */
function localHour(calendar: MarketCalendar, ms: number): number {
  const ending = calendar.hourEnding(ms);
  return ending === 25 ? 1 : ending - 1;
}

/**
 * The class that holds a value, of disjoint classes in ascending order: [min, max), but the first holds what
 * is below it too, and the last what is above. Null in a gap between two classes, and when there is none.
 */
export function classOf(classes: readonly ValueClass[], value: number): ValueClass | null {
  let found = classes[0] ?? null;
  for (const each of classes) if (value >= each.min) found = each;
  if (found === null) return null;
  return value < found.max || found === classes.at(-1) ? found : null;
}

/** The shortest period that holds the hour, the first of equals; null when none does. */
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
 * By the sample deviation of the last prices over their mean magnitude: below 10 % low, 30 % moderate, 100 %
 * high, else extreme. Null for fewer than five.
 */
function volatilityOf(prices: readonly number[]): string | null {
  const count = prices.length;
  if (count < PRICES_WANTED) return null;
  let total = 0;
  let magnitude = 0;
  for (const price of prices) {
    total += price;
    magnitude += Math.abs(price);
  }
  const mean = total / count;
  let squares = 0;
  for (const price of prices) squares += (price - mean) * (price - mean);
  const ratio = magnitude === 0 ? 0 : Math.sqrt(squares / (count - 1)) / (magnitude / count);
  if (ratio < 0.1) return 'low_volatility';
  if (ratio < 0.3) return 'moderate_volatility';
  return ratio < 1 ? 'high_volatility' : 'extreme_volatility';
}

/**
 * A traded instrument by the mean of its last quantities (MWh), a priced one by how many look at its place.
 */
function liquidityOf(quantities: readonly number[], kind: LocationKind): string {
  if (quantities.length === 0) {
    return kind === 'hub' ? 'high_liquidity' : kind === 'node' ? 'medium_liquidity' : 'low_liquidity';
  }
  const mean = quantities.reduce((sum, each) => sum + each, 0) / quantities.length;
  return mean >= 1_000 ? 'high_liquidity' : mean >= 100 ? 'medium_liquidity' : 'low_liquidity';
}
