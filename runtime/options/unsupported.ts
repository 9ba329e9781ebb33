// What is configured and cannot be done as written: said at start, one sentence each, so that nobody believes
// in a setting that does not work. Keys without any effect are the loader’s to tell.

import { CROSS_FIELD_CONDITIONS } from '../../actors/assessment-options.ts';
import type { MarketSpec } from '../../actors/domain/market.ts';
import type { ValueClass } from '../../actors/enrichment-options.ts';
import { PRECISION_MAX } from '../../actors/normalize-number.ts';
import { unsupportedNormalization } from '../../actors/normalize-options.ts';
import type { Config } from '../../configs/load.ts';
import type { StageOptions } from '../options.ts';
import { classesOf } from './enrichment.ts';
import { HOURS_MAX } from './normalize.ts';

/** `feeds`: names of the feeds that the product has. */
export function unsupported(
  config: Config,
  markets: readonly MarketSpec[],
  feeds: readonly string[],
  options: StageOptions,
): string[] {
  return [
    ...unsupportedNormalization(options.normalize),
    ...limits(config),
    ...conditions(config),
    ...markets.flatMap(({ market }) => marketGaps(config, market)),
    ...strangeConnectors(config, markets, feeds),
  ];
}

/** Values that are taken as the nearest that the product can do. */
function limits({ normalization, quality }: Config): string[] {
  const found: string[] = [];
  const hours = quality.validation.field_validation.delivery_hour?.max;
  if (hours !== undefined && hours !== HOURS_MAX)
    found.push(
      `field_validation.delivery_hour.max ${hours}: read as ${HOURS_MAX}, the repeated hour in fall`,
    );
  const { min_samples_for_detection: samples, price_buffer_size: held } = quality.anomaly_detection;
  if (samples > held)
    found.push(
      `min_samples_for_detection ${samples} is above price_buffer_size ${held}: nothing is detected`,
    );
  const { numeric_precision: places } = normalization.global.transformations;
  if (places > PRECISION_MAX)
    found.push(`transformations.numeric_precision ${places}: at most ${PRECISION_MAX} places are kept`);
  return found;
}

function conditions({ quality }: Config): string[] {
  const known = CROSS_FIELD_CONDITIONS.join(', ');
  return quality.validation.cross_field_validation
    .filter(({ condition }) => !CROSS_FIELD_CONDITIONS.includes(condition))
    .map(({ name, condition }) => {
      const rule = `cross_field_validation '${name}' has no effect`;
      return `${rule}: condition '${condition}' is not one of ${known}`;
    });
}

function marketGaps({ normalization, taxonomy, quality }: Config, market: string): string[] {
  const found: string[] = [];
  const of = taxonomy.markets[market];
  if (normalization.markets[market] === undefined)
    found.push(`normalization_rules has no market ${market}: the defaults apply`);
  if (of === undefined) found.push(`enrichment_taxonomy has no market ${market}: the defaults apply`);
  if (quality.markets[market] === undefined)
    found.push(`data_quality_rules has no market ${market}: no ranges are checked`);
  const prices = classesOf(of?.price_ranges ?? {});
  const [lowest] = prices;
  if (lowest !== undefined && lowest.min >= 0) {
    found.push(`${market}.price_ranges: no class is below 0: negative prices count as '${lowest.name}'`);
  }
  const quantities = classesOf(of?.quantity_ranges ?? {});
  return [
    ...found,
    ...gaps(`${market}.price_ranges`, prices),
    ...gaps(`${market}.quantity_ranges`, quantities),
  ];
}

function gaps(where: string, classes: readonly ValueClass[]): string[] {
  const found: string[] = [];
  for (const [index, each] of classes.entries()) {
    const next = classes[index + 1];
    if (next !== undefined && next.min > each.max)
      found.push(`${where}: nothing holds ${each.max} to ${next.min}: such a value has no class`);
  }
  return found;
}

function strangeConnectors(
  { connectors }: Config,
  markets: readonly MarketSpec[],
  known: readonly string[],
): string[] {
  return Object.entries(connectors.connectors).flatMap(([name, { market, feeds }]) => {
    const found = feeds
      .filter((feed) => !known.includes(feed))
      .map((feed) => `connectors.${name}: no feed '${feed}'; known are ${known.join(', ')}`);
    if (!markets.some((each) => each.market === market)) {
      found.push(`connectors.${name}: no market '${market}'`);
    }
    return found;
  });
}
