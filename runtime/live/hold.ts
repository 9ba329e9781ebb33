// Which process follows a connector, where several share one log: one of them holds its name, the others
// stand by and ask the operator for nothing. Who holds it says so on the log, each BEAT_MS.
//
//   look ──free, ours of before, or silent for GONE_MS──▶ held ──beat──▶ held
//    │ another's                                            │ another took it meanwhile (log.take)
//    ▼                                                      ▼
//   stands by ──POLL_MS──▶ look                          stands by
//
// Standing by writes nothing, so nobody is fenced by it. That two never write is the log's to keep: whoever
// lost the name is refused at its next append, whatever it believes.

import type { Clock } from '../host.ts';
import type { Log } from '../log/log.ts';
import { isHeld, LogFault } from '../log/log-fault.ts';
import { type Holder, holderChange, lifeChange, readHolder } from './store.ts';

/** A process as others know it. `worker`: the same after a restart. */
export interface Self {
  readonly id: string;
  readonly worker: string;
  readonly host: string;
  readonly pid: number;
  /** Where it answers about its connectors, such as `http://10.0.0.7:8515`; null: nowhere. */
  readonly url: () => string | null;
}

export interface HoldParts {
  readonly log: Pick<Log, 'append' | 'writerState' | 'take'>;
  readonly clock: Clock;
  readonly self: Self;
  readonly writer: string;
  /** It is held from now on: read what the log remembers, and begin. Throws LogFault. */
  readonly taken: () => Promise<void>;
  /** It is not any more. */
  readonly lost: () => void;
  readonly event: (cause: string, decision: string) => void;
}

export const BEAT_MS = 10_000;
export const POLL_MS = 5_000;
/** Three beats may be missed. */
export const GONE_MS = 35_000;

export class Hold {
  readonly #parts: HoldParts;
  #held = false;
  /** Who has it instead, as seen last. */
  #other: Holder | null = null;
  /** Since when nothing new was heard of it. */
  #silentMs = 0;
  #sinceMs = 0;
  #begun = false;
  #stopped = false;
  #cancel: () => void = () => {};

  constructor(parts: HoldParts) {
    this.#parts = parts;
  }

  get held(): boolean {
    return this.#held;
  }

  /** Who follows it while this process stands by; null: this one does, or it is not known yet. */
  get other(): Holder | null {
    return this.#held ? null : this.#other;
  }

  /** Resolves when it is decided: held and begun, or standing by. Throws LogFault: call it again. */
  async start(): Promise<void> {
    if (this.#begun) return;
    await this.#look(true);
    this.#begun = true;
  }

  /** Lets it go, so that another need not wait. The last that is written of it. */
  async release(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    const { log, writer } = this.#parts;
    if (!this.#held || log.take === undefined) return;
    await log.append(writer, [], [holderChange(null)]).catch(() => {});
  }

  async #look(isFirst: boolean): Promise<void> {
    const { log, writer, clock, self, event } = this.#parts;
    if (log.take === undefined) return await this.#claim(null);
    const found = readHolder(await log.writerState(writer));
    const nowMs = clock.nowMs();
    const before = this.#other;
    if (found === null || before?.id !== found.id || before.seenMs !== found.seenMs) this.#silentMs = nowMs;
    this.#other = found;
    // Only a start may tell a process by its worker: two that share one would take it in turns for ever.
    const isOurs = found?.id === self.id || (isFirst && found?.worker === self.worker);
    const isGone = nowMs - this.#silentMs >= GONE_MS;
    if (found === null || isOurs || isGone) {
      await this.#claim(found?.id ?? null);
      if (!this.#held || isFirst || before === null) return;
      const why = found === null ? 'has let it go' : 'is not heard of any more';
      return event(`${nameOf(before)} ${why}`, 'this process follows it now');
    }
    if (before?.id !== found.id) this.#standBy(found);
    this.#lookLater();
  }

  #standBy(other: Holder): void {
    this.#parts.event(
      `${nameOf(other)} follows it since ${new Date(other.sinceMs).toISOString()}`,
      'this process stands by, and takes over when that one is gone',
    );
  }

  #lookLater(): void {
    if (this.#stopped) return;
    this.#cancel = this.#parts.clock.after(POLL_MS, () => {
      this.#look(false).catch((error: unknown) => {
        // The log is away, which its own health tells.
        if (!(error instanceof LogFault)) this.#parts.event(String(error), 'looked at again');
        this.#lookLater();
      });
    });
  }

  /** `gone`: the holder that may be passed over. */
  async #claim(gone: string | null): Promise<void> {
    const { log, writer, clock, self, taken } = this.#parts;
    const nowMs = clock.nowMs();
    let isTaken = false;
    log.take?.(writer, (stored) => {
      const holder = readHolder(stored);
      if (holder?.id === self.id || (!isTaken && (holder === null || holder.id === gone))) return null;
      return holder === null ? 'nobody has it any more' : `${nameOf(holder)} has it`;
    });
    try {
      this.#sinceMs = nowMs;
      // Who asks and then writes is the writer: what an earlier process had under way is over.
      if (log.take === undefined) await log.writerState(writer);
      const own = log.take === undefined ? [] : [holderChange(this.#mine(nowMs))];
      await log.append(writer, [], [lifeChange(nowMs), ...own]);
      isTaken = true;
      this.#held = true;
      this.#other = null;
      await taken();
    } catch (error) {
      this.#held = false;
      if (!isHeld(error)) throw error;
      return this.#lookLater();
    }
    this.#beatLater();
  }

  #mine(nowMs: number): Holder {
    const { id, worker, host, pid, url } = this.#parts.self;
    return { id, worker, host, pid, url: url(), sinceMs: this.#sinceMs, seenMs: nowMs };
  }

  #beatLater(): void {
    if (this.#stopped || this.#parts.log.take === undefined) return;
    this.#cancel = this.#parts.clock.after(BEAT_MS, () => {
      this.#beat().catch((error: unknown) => {
        this.#parts.event(String(error), 'looked at again');
        this.#lookLater();
      });
    });
  }

  async #beat(): Promise<void> {
    const { log, writer, clock, lost } = this.#parts;
    try {
      await log.append(writer, [], [holderChange(this.#mine(clock.nowMs()))]);
    } catch (error) {
      if (isHeld(error)) {
        this.#held = false;
        lost();
        return await this.#look(false);
      }
      if (!(error instanceof LogFault)) throw error;
    }
    this.#beatLater();
  }
}

/** `process 4711 on host a (http://a:8515)`. */
export function nameOf({ host, pid, url }: Pick<Holder, 'host' | 'pid' | 'url'>): string {
  return `process ${pid} on host ${host}${url === null ? '' : ` (${url})`}`;
}
