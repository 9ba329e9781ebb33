// A try of one connector: the request that its feed would send first, or a recording, parsed by its feed and
// normalized by the rules of the configuration. Nothing of it reaches the log.

import { marketCalendar } from '../../../actors/domain/operating-day.ts';
import type { RawRecord } from '../../../actors/domain/wire.ts';
import type { Response } from '../../../actors/feeds/feed.ts';
import { type FeedSettings, nextAsk } from '../../../actors/live/plan.ts';
import { normalize } from '../../../actors/normalize.ts';
import type { NormalizeOptions } from '../../../actors/normalize-options.ts';
import { type RequestParts, request } from '../../live/request.ts';
import type { ConnectorPlan, FeedPlan, Registry } from '../../live/settings.ts';

export interface Trial {
  readonly connector: string;
  /** `caiso.dam` of a live request, `caiso.oasis` of a recording. */
  readonly source: string;
  readonly from: 'operator' | 'recording';
  /** The window's id, or the recording's name. */
  readonly of: string;
  readonly outcome: string;
  /** Why it is no response; null when it is one. */
  readonly detail: string | null;
  readonly http_status: number | null;
  readonly requests: number;
  readonly bytes: number;
  readonly rows_read: number;
  readonly rows_refused: number;
  readonly records: number;
  /** Records that normalization took, and the others with the first one's reason. */
  readonly ticks: number;
  readonly rejected: number;
  readonly first_rejection: string | null;
  readonly instruments: number;
  readonly first_interval: string | null;
  readonly last_interval: string | null;
  /** Of the request; of a recording the time that parsing took. */
  readonly duration_ms: number;
  readonly passed: boolean;
}

/** What the feed would ask first of all; null: nothing is published that is not past retention. */
export async function tryLive(
  plan: ConnectorPlan,
  feed: FeedPlan,
  parts: Omit<RequestParts, 'connector'>,
  options: NormalizeOptions,
  signal: AbortSignal,
): Promise<Trial | null> {
  const settings = settingsOf(plan, feed);
  const next = nextAsk(settings, new Map(), [], parts.nowMs());
  if (!('ask' in next)) return null;
  const { window } = next.ask;
  const fetched = await request({ ...parts, connector: plan }, feed.source, next.ask, signal);
  const { outcome, ledger } = fetched;
  return judged(fetched.records, parts.nowMs(), options, {
    connector: plan.name,
    source: feed.source.name,
    from: 'operator',
    of: window.id,
    outcome: outcome.kind,
    detail: 'detail' in outcome ? outcome.detail : null,
    http_status: fetched.status,
    requests: fetched.requests,
    bytes: fetched.bytes,
    rows_read: ledger.rowsRead,
    rows_refused: ledger.rowsRefused,
    duration_ms: Math.round(fetched.millis),
  });
}

function settingsOf({ market, retry }: ConnectorPlan, feed: FeedPlan): FeedSettings {
  return { ...feed, market, calendar: marketCalendar(market.zone), retry };
}

/** Null: the recording is no response of this connector's market. */
export function tryRecording(
  plan: ConnectorPlan,
  response: Response,
  registry: Registry,
  options: NormalizeOptions,
  nowMs: () => number,
): Trial | null {
  const feed = registry.findFeed(response);
  if (feed === null || feed.market.market !== plan.market.market) return null;
  const startedMs = nowMs();
  const { records, refusal, ledger } = feed.parse(response);
  return judged(records, response.takenMs, options, {
    connector: plan.name,
    source: feed.name,
    from: 'recording',
    of: response.name,
    outcome: refusal === undefined ? 'response' : refusal.reason,
    detail: refusal?.detail ?? null,
    http_status: null,
    requests: 0,
    bytes: response.bytes.length,
    rows_read: ledger.rowsRead,
    rows_refused: ledger.rowsRefused,
    duration_ms: Math.round(nowMs() - startedMs),
  });
}

type Asked = Pick<
  Trial,
  | 'connector'
  | 'source'
  | 'from'
  | 'of'
  | 'outcome'
  | 'detail'
  | 'http_status'
  | 'requests'
  | 'bytes'
  | 'rows_read'
  | 'rows_refused'
  | 'duration_ms'
>;

const encoder = new TextEncoder();

function judged(
  records: readonly RawRecord[],
  takenMs: number,
  options: NormalizeOptions,
  asked: Asked,
): Trial {
  const instruments = new Set<string>();
  let ticks = 0;
  let firstRejection: string | null = null;
  for (const record of records) {
    const found = normalize(encoder.encode(JSON.stringify(record)), takenMs, options);
    if (found.kind === 'tick') {
      ticks += 1;
      instruments.add(found.tick.instrument_id);
    } else if (found.kind === 'rejected') {
      const { reason, detail } = found.rejection;
      firstRejection ??= `${reason}: ${detail}`;
    }
  }
  const rejected = records.length - ticks;
  const starts = records.map((each) => each.interval_start).sort((a, b) => a - b);
  return {
    ...asked,
    records: records.length,
    ticks,
    rejected,
    first_rejection: firstRejection,
    instruments: instruments.size,
    first_interval: instant(starts[0]),
    last_interval: instant(starts.at(-1)),
    passed: asked.outcome === 'response' && ticks > 0 && rejected === 0,
  };
}

/** Microseconds → ISO. */
function instant(us: number | undefined): string | null {
  return us === undefined ? null : new Date(us / 1_000).toISOString();
}
