// The markets that the product knows, and the feeds that read them. A new market is a file beside this one
// and a line here.

import type { MarketSpec } from '../domain/market.ts';
import { caiso, caisoOasis } from './caiso.ts';
import type { Feed, Response } from './feed.ts';
import { miso, misoPublicApi, misoReport } from './miso.ts';

export const markets: readonly MarketSpec[] = [caiso, miso];

export const feeds: readonly Feed[] = [misoReport, misoPublicApi, caisoOasis];

/** The feed that reads a response, judged by its content; null when none does. */
export function findFeed(response: Response): Feed | null {
  return feeds.find((feed) => feed.recognises(response)) ?? null;
}
