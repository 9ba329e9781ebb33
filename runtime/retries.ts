// What fails and is tried again, told as one outage: the first failure as it happens, then a line at growing
// intervals with how often and how many have failed, then the recovery. A cause of another kind is told when
// it first shows. So an outage of hours is a dozen events, however many try.

import type { Clock } from './host.ts';
import type { EventKind, RecordEvent } from './views.ts';

export interface RetriesSettings {
  readonly clock: Clock;
  readonly record: RecordEvent;
  readonly service: string;
  readonly actor: string;
  /** Kinds of the events of a failure and of the recovery. */
  readonly kinds: readonly [failed: EventKind, passed: EventKind];
  /** Without a failure for so long it is over; null: those who failed say so. */
  readonly quietMs: number | null;
}

const FIRST_MS = 10_000;
const INTERVAL_MS_MAX = 3_600_000;
const KINDS_MAX = 10;

interface Outage {
  readonly sinceMs: number;
  tries: number;
  tellMs: number;
  intervalMs: number;
  lastMs: number;
  readonly failing: Set<string>;
  /** Kinds of causes that were told. */
  readonly told: Set<string>;
}

/** Causes that begin alike are of one kind. */
const kindOf = (cause: string): string => cause.slice(0, 32).replaceAll(/\d+/g, '#');

export class Retries {
  readonly #settings: RetriesSettings;
  #outage: Outage | null = null;

  constructor(settings: RetriesSettings) {
    this.#settings = settings;
  }

  /** `who` failed and tries again; `decision` says how. */
  failed(who: string, cause: string, decision: string): void {
    const nowMs = this.#settings.clock.nowMs();
    const outage = this.#outage ?? this.#begin(nowMs);
    outage.tries += 1;
    outage.lastMs = nowMs;
    outage.failing.add(who);
    const kind = kindOf(cause);
    if (!outage.told.has(kind) && outage.told.size < KINDS_MAX) {
      outage.told.add(kind);
      this.#tell(0, cause, decision, outage.tries === 1 ? who : null);
    } else if (nowMs >= outage.tellMs) {
      outage.intervalMs = Math.min(INTERVAL_MS_MAX, outage.intervalMs * 2);
      outage.tellMs = nowMs + outage.intervalMs;
      const seconds = Math.round((nowMs - outage.sinceMs) / 1_000);
      const all = `${outage.tries} tries of ${outage.failing.size} failed in ${seconds} s`;
      this.#tell(0, cause, `${all}; going on trying`, null);
    }
  }

  /** `who` works again, or always did. */
  passed(who: string): void {
    if (this.#outage?.failing.delete(who) && this.#outage.failing.size === 0) this.#recovered(this.#outage);
  }

  /** `who` is not there any more, and says nothing of how it went. */
  gone(who: string): void {
    if (this.#outage?.failing.delete(who) && this.#outage.failing.size === 0) this.#outage = null;
  }

  #begin(nowMs: number): Outage {
    const outage: Outage = {
      sinceMs: nowMs,
      tries: 0,
      tellMs: nowMs + FIRST_MS,
      intervalMs: FIRST_MS,
      lastMs: nowMs,
      failing: new Set(),
      told: new Set(),
    };
    this.#outage = outage;
    if (this.#settings.quietMs !== null) this.#awaitQuiet(outage, this.#settings.quietMs);
    return outage;
  }

  #awaitQuiet(outage: Outage, quietMs: number): void {
    const { clock } = this.#settings;
    const leftMs = outage.lastMs + quietMs - clock.nowMs();
    clock.after(Math.max(1, leftMs), () => {
      if (this.#outage !== outage) return;
      if (outage.lastMs + quietMs <= clock.nowMs()) this.#recovered(outage);
      else this.#awaitQuiet(outage, quietMs);
    });
  }

  #recovered({ tries, sinceMs, lastMs }: Outage): void {
    this.#outage = null;
    const { clock, quietMs } = this.#settings;
    const endMs = quietMs === null ? clock.nowMs() : lastMs;
    const seconds = Math.round((endMs - sinceMs) / 1_000);
    const times = tries === 1 ? '1 try' : `${tries} tries`;
    this.#tell(1, `${times} had failed in ${seconds} s`, 'going on', null);
  }

  #tell(which: 0 | 1, cause: string, decision: string, actor: string | null): void {
    const { record, service, kinds, actor: all } = this.#settings;
    record({ kind: kinds[which], service, actor: actor ?? all, cause, decision, budget_left: null });
  }
}
