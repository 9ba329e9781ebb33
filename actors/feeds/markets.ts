// The markets that the product knows, each registered by one entry of ALL: what it is, the feeds that read
// its responses, the sources that it can be asked by. README.md beside this says what a new one must promise.

import type { MarketSpec } from '../domain/market.ts';
import { caiso, caisoOasis } from './caiso.ts';
import { caisoCorrectionNotices, caisoCorrections } from './caiso-corrections.ts';
import { caisoSources } from './caiso-source.ts';
import type { Feed, Response } from './feed.ts';
import { miso, misoPublicApi, misoReport } from './miso.ts';
import { misoArchive } from './miso-archive.ts';
import { misoExchange } from './miso-exchange.ts';
import { misoExchangeSources } from './miso-exchange-source.ts';
import { misoSources } from './miso-source.ts';
import type { Notices, Source } from './source.ts';

export interface Market {
  readonly spec: MarketSpec;
  readonly feeds: readonly Feed[];
  readonly sources: readonly Source[];
  /** Where the operator tells of corrections; absent: nowhere. */
  readonly notices?: readonly Notices[];
}

/** In the order in which their feeds are asked whether a response is theirs. */
export const ALL: readonly Market[] = [
  {
    spec: caiso,
    feeds: [caisoCorrections, caisoOasis],
    sources: caisoSources,
    notices: [caisoCorrectionNotices],
  },
  {
    spec: miso,
    feeds: [misoReport, misoExchange, misoPublicApi, misoArchive],
    sources: [...misoSources, ...misoExchangeSources],
  },
];

export interface Markets {
  readonly markets: readonly MarketSpec[];
  readonly feeds: readonly Feed[];
  readonly sources: readonly Source[];
  readonly notices: readonly Notices[];
  /** The feed that reads a response, judged by its content; null when none does. */
  readonly findFeed: (response: Response) => Feed | null;
}

export function registered(all: readonly Market[]): Markets {
  const feeds = all.flatMap((each) => each.feeds);
  return {
    markets: all.map(({ spec }) => spec),
    feeds,
    sources: all.flatMap((each) => each.sources),
    notices: all.flatMap((each) => each.notices ?? []),
    findFeed: (response) => feeds.find((feed) => feed.recognises(response)) ?? null,
  };
}

export const { markets, feeds, sources, notices, findFeed } = registered(ALL);
