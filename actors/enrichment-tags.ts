// Semantic tags: what the taxonomy says of a tick's kind, location, values and hour, each where its switch is
// on. Where the market says nothing of a thing that the tick has, the defaults speak.

import type { Tick } from './domain/wire.ts';
import type {
  EnrichmentOptions,
  LocationKind,
  MarketTaxonomy,
  TimePeriod,
  ValueClass,
} from './enrichment-options.ts';

export interface Found {
  readonly kind: LocationKind;
  readonly period: TimePeriod | null;
  /** Null when there is no value, or no class for it. */
  readonly priceClass: ValueClass | null;
  readonly quantityClass: ValueClass | null;
}

type Tags = readonly string[];

/** Each tag once, in the order market, data type, location, price, quantity, time. */
export function tagsOf(
  { tagging, defaults }: EnrichmentOptions,
  market: MarketTaxonomy,
  tick: Tick,
  found: Found,
): string[] {
  const tags: string[] = [];
  const add = (own: Tags | undefined, otherwise: Tags): void => {
    const list = own === undefined || own.length === 0 ? otherwise : own;
    for (const tag of list) if (!tags.includes(tag)) tags.push(tag);
  };
  const { instrument_type: type } = tick;
  if (tagging.marketSpecific) add([tick.market.toLowerCase()], []);
  if (tagging.dataTypeSpecific)
    add(market.instruments[type === 'lmp' ? 'market_price' : type], defaults.instruments);
  if (tagging.locationBased) add(market.locations[found.kind], defaults.locations);
  if (tagging.priceBased && tick.price !== null) add(found.priceClass?.tags, defaults.priceRanges);
  if (tagging.quantityBased && tick.quantity !== null)
    add(found.quantityClass?.tags, defaults.quantityRanges);
  if (tagging.timeBased) add(found.period?.tags, defaults.timePeriods);
  return tags;
}
