// The markets that the product knows, the feeds that read them and the sources that can be asked. A new
// market is its files beside this one and its names here.

import type { MarketSpec } from '../domain/market.ts';
import { caiso, caisoOasis } from './caiso.ts';
import { caisoSources } from './caiso-source.ts';
import type { Feed, Response } from './feed.ts';
import { miso, misoPublicApi, misoReport } from './miso.ts';
import { misoArchive } from './miso-archive.ts';
import { misoExchange } from './miso-exchange.ts';
import { misoExchangeSources } from './miso-exchange-source.ts';
import { misoSources } from './miso-source.ts';
import type { Source } from './source.ts';

export const markets: readonly MarketSpec[] = [caiso, miso];

export const feeds: readonly Feed[] = [misoReport, misoExchange, misoPublicApi, misoArchive, caisoOasis];

export const sources: readonly Source[] = [...caisoSources, ...misoSources, ...misoExchangeSources];

/** The feed that reads a response, judged by its content; null when none does. */
export function findFeed(response: Response): Feed | null {
  return feeds.find((feed) => feed.recognises(response)) ?? null;
}
