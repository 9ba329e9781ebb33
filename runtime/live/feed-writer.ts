// Puts what a feed decides on the log: records, what it remembers of its windows, its running total and the
// entry of its history, in one transaction. At a stop a write under way is finished, and an answer that still
// waits for room is given up, because nothing of it is on the log.

import type { AppendEffect } from '../../actors/live/feed-actor.ts';
import type { WindowState } from '../../actors/live/plan.ts';
import type { Intake } from '../intake.ts';
import type { Log, StateChange } from '../log/log.ts';
import { rawOutputs } from '../raw-outputs.ts';
import { absenceChange, ledgerChange, runChange, type Stored } from './store.ts';
import { readParts, windowChanges } from './stored-window.ts';

export interface FeedOutlet extends Pick<Intake, 'room' | 'extracted'> {
  readonly log: Pick<Log, 'append'>;
}

export class FeedWriter {
  readonly #intake: FeedOutlet;
  readonly #writer: string;
  readonly #key: string;
  readonly #market: string;
  readonly #stop: AbortSignal;
  #writing: Promise<void> = Promise.resolve();
  /** Parts that may be stored of each window. */
  #parts = new Map<string, number>();

  /** `key` is `<connector>/<feed>`, `writer` the name that the log knows it by. */
  constructor(intake: FeedOutlet, writer: string, key: string, market: string, stop: AbortSignal) {
    this.#intake = intake;
    this.#writer = writer;
    this.#key = key;
    this.#market = market;
    this.#stop = stop;
  }

  /** Takes over what is stored. */
  restore(stored: Stored): void {
    this.#parts = readParts(stored, this.#key);
  }

  /**
   * Rejects when the log refused, and at a stop. `absentMs`: with this answer an absence since then is over,
   * and it is remembered until it is made up for.
   */
  async append(effect: AppendEffect, absentMs: number | null = null): Promise<void> {
    const { records, windowId, window, tidied, ledger, run } = effect;
    const { log, room, extracted } = this.#intake;
    const parts = new Map<string, number>();
    const state = [
      ...this.#windowChanges(windowId, window, parts),
      ...[...tidied].flatMap(([id, other]) => this.#windowChanges(id, other, parts)),
      ledgerChange(this.#key, ledger),
      ...(run === null ? [] : [runChange(this.#key, run)]),
      ...(absentMs === null ? [] : [absenceChange(this.#key, absentMs)]),
    ];
    if (records.length > 0) await room();
    this.#stop.throwIfAborted();
    const written = log.append(this.#writer, rawOutputs(records), state);
    this.#writing = written.catch(() => {});
    await written;
    for (const [id, count] of parts) this.#parts.set(id, count);
    if (records.length > 0) extracted(this.#market, records.length);
  }

  /** An append whose outcome is unknown may have left as many parts as it had. */
  #windowChanges(id: string, window: WindowState | null, parts: Map<string, number>): readonly StateChange[] {
    const before = this.#parts.get(id) ?? 0;
    const made = windowChanges(this.#key, id, window, before);
    this.#parts.set(id, Math.max(before, made.parts));
    parts.set(id, made.parts);
    return made.changes;
  }

  /** Resolves when the log writes nothing of it. */
  idle(): Promise<void> {
    return this.#writing;
  }
}
