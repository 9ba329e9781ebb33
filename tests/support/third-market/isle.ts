// A market that the product does not know: an island in the Azores that publishes one text a day, with prices
// of half an hour by node. All of it is here and in isle.yaml; what registers it is the one value at the end.

import type { MarketSpec } from '../../../actors/domain/market.ts';
import { parseInstant } from '../../../actors/domain/time.ts';
import type { Feed, Parsed, Response } from '../../../actors/feeds/feed.ts';
import { Joiner, refusedResponse } from '../../../actors/feeds/joiner.ts';
import type { Market } from '../../../actors/feeds/markets.ts';
import type { Source } from '../../../actors/feeds/source.ts';

const HALF_HOUR_MS = 1_800_000;
const TITLE = 'ISLE SPOT PRICES';
const END = 'END';

const spec: MarketSpec = {
  market: 'ISLE',
  zone: { kind: 'civil', zone: 'Atlantic/Azores' },
  runs: { SPOT30: { intervalMinutes: 30, kind: 'real_time', settlement: 'none' } },
  components: { PRICE: 'price' },
  expects: () => true,
};

const text = ({ bytes }: { readonly bytes: Uint8Array }): string => new TextDecoder().decode(bytes);

const feed: Feed = {
  name: 'isle.spot',
  market: spec,
  recognises: (response) => text(response).startsWith(TITLE),
  parse,
};

function parse(response: Response): Parsed {
  const [, ...lines] = text(response).trimEnd().split('\n');
  if (lines.pop() !== END)
    return refusedResponse({ reason: 'truncated', detail: `it lacks its last line, ${END}` });
  const joiner = new Joiner(response, feed.name, spec.market);
  for (const line of lines) {
    const row = joiner.nextRow();
    const [start = '', location = '', price = ''] = line.split(';');
    const startMs = parseInstant(start);
    if (startMs === null) joiner.refuse(row, 'bad_time', `'${start}' is no time`, line);
    else {
      const interval = { startMs, endMs: startMs + HALF_HOUR_MS };
      joiner.add(
        { row, run: 'SPOT30', location, ...interval, component: 'PRICE', text: price, labels: {} },
        () => line,
      );
    }
  }
  return joiner.finish(null);
}

const source: Source = {
  name: 'isle.spot',
  market: spec,
  run: 'SPOT30',
  publication: { kind: 'after', hours: 1 },
  correctionDays: [2],
  windows: ({ date, startMs, endMs }, nodes) => [{ id: date, date, startMs, endMs, nodes }],
  request: ({ date }) => ({
    base: 'files',
    path: `spot-${date}.txt`,
    secret: null,
    name: `spot-${date}.txt`,
  }),
  oldestMs: () => null,
  recognise: ({ status }) =>
    status === 404 ? { reason: 'no_data', detail: 'the island has not published this day' } : null,
};

export const isle: Market = { spec, feeds: [feed], sources: [source] };
