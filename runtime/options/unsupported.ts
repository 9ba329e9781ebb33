// What is configured and cannot be done as written: said at start, one sentence each, so that nobody believes
// in a setting that does not work. Keys without any effect are the loader’s to tell.

import { CROSS_FIELD_CONDITIONS } from '../../actors/assessment-options.ts';
import type { MarketSpec } from '../../actors/domain/market.ts';
import type { ValueClass } from '../../actors/enrichment-options.ts';
import { unsupportedNormalization } from '../../actors/normalize-options.ts';
import type { Config } from '../../configs/load.ts';
import type { StageOptions } from '../options.ts';
import { classesOf } from './enrichment.ts';

/** What is configured and cannot be done as written, one sentence each. */
export function unsupported(config: Config, markets: readonly MarketSpec[], options: StageOptions): string[] {
  const found = unsupportedNormalization(options.normalize);
  const hours = config.quality.validation.field_validation.delivery_hour?.max;
  if (hours === 24)
    found.push('field_validation.delivery_hour.max 24: read as 25, the repeated hour in fall');
  for (const { name, condition } of config.quality.validation.cross_field_validation) {
    if (CROSS_FIELD_CONDITIONS.includes(condition)) continue;
    const known = CROSS_FIELD_CONDITIONS.join(', ');
    found.push(`cross_field_validation '${name}': condition '${condition}' is not one of ${known}`);
  }
  for (const { market } of markets) {
    if (config.taxonomy.markets[market] === undefined)
      found.push(`enrichment_taxonomy has no market ${market}: the defaults apply`);
    if (config.quality.markets[market] === undefined)
      found.push(`data_quality_rules has no market ${market}: no ranges are checked`);
    const { price_ranges: prices = {} } = config.taxonomy.markets[market] ?? {};
    found.push(...gaps(`${market}.price_ranges`, classesOf(prices)));
  }
  return found;
}

function gaps(where: string, classes: readonly ValueClass[]): string[] {
  const found: string[] = [];
  const [lowest] = classes;
  if (lowest !== undefined && lowest.min >= 0)
    found.push(`${where}: no class is below 0: negative prices count as '${lowest.name}'`);
  for (const [index, each] of classes.entries()) {
    const next = classes[index + 1];
    if (next !== undefined && next.min > each.max)
      found.push(`${where}: nothing holds ${each.max}–${next.min}: such a price has no class`);
  }
  return found;
}
