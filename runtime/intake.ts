// What a connector may ask of the pipeline it feeds: the log, whether there is room, whether what it wrote
// was taken, and when a run's calendar closes.

import type { MarketSpec } from '../actors/domain/market.ts';
import { marketCalendar } from '../actors/domain/operating-day.ts';
import { toMs, toUs } from '../actors/domain/time.ts';
import type { Address, Clock, Draw, Host } from './host.ts';
import type { Log } from './log/log.ts';
import type { StageOptions } from './options.ts';
import type { RecordEvent } from './views.ts';

export interface Intake {
  readonly host: Host;
  readonly clock: Clock;
  readonly draw: Draw;
  readonly log: Log;
  readonly record: RecordEvent;
  /** Actor above every connector. */
  readonly parent: Address<never>;
  readonly tenantId: string;
  /** Resolves when the readers have room for more. */
  room(): Promise<void>;
  /** Resolves when normalization has taken all that is on the log, so that no calendar overtakes a tick. */
  settled(): Promise<void>;
  /** When the calendar of a run is closed: first instant after the operating day that holds `endUs`, µs. */
  closeAt(market: string, run: string, endUs: number): number;
  extracted(market: string, records: number): void;
}

/** A connector's feed as the process sees it: in the tree of actors, and at a drain. */
export interface Feeding {
  readonly path: string;
  readonly state: { readonly phase: string };
  /** Finishes what is in hand and asks for nothing more. */
  drain(): void | Promise<void>;
}

/** First instant after the operating day that holds the last interval, and lateness allowed after that. */
export function closing(markets: readonly MarketSpec[], stages: StageOptions): Intake['closeAt'] {
  return (market, run, endUs) => {
    const policy = stages.aggregation.markets.get(market);
    const spec = markets.find((each) => each.market === market);
    if (spec === undefined || policy === undefined) return endUs;
    const { endMs } = marketCalendar(spec.zone).dayOf(toMs(endUs) - 1);
    return toUs(endMs + policy.windows(run).allowedLatenessMs);
  };
}
