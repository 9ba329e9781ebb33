// Puts what a feed decides on the log: records, what it remembers of its windows, its running total and the
// entry of its history, in one transaction. At a stop a write under way is finished, and an answer that still
// waits for room is given up, because nothing of it is on the log.

import type { AppendEffect } from '../../actors/live/feed-actor.ts';
import type { Intake } from '../intake.ts';
import type { Log } from '../log/log.ts';
import { rawOutputs } from '../raw-outputs.ts';
import { ledgerChange, runChange, windowChange } from './store.ts';

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

  /** `key` is `<connector>/<feed>`, `writer` the name that the log knows it by. */
  constructor(intake: FeedOutlet, writer: string, key: string, market: string, stop: AbortSignal) {
    this.#intake = intake;
    this.#writer = writer;
    this.#key = key;
    this.#market = market;
    this.#stop = stop;
  }

  /** Rejects when the log refused, and at a stop. */
  async append({ records, windowId, window, tidied, ledger, run }: AppendEffect): Promise<void> {
    const { log, room, extracted } = this.#intake;
    const state = [
      windowChange(this.#key, windowId, window),
      ...[...tidied].map(([id, other]) => windowChange(this.#key, id, other)),
      ledgerChange(this.#key, ledger),
      ...(run === null ? [] : [runChange(this.#key, run)]),
    ];
    if (records.length > 0) await room();
    this.#stop.throwIfAborted();
    const written = log.append(this.#writer, rawOutputs(records), state);
    this.#writing = written.catch(() => {});
    await written;
    if (records.length > 0) extracted(this.#market, records.length);
  }

  /** Resolves when the log writes nothing of it. */
  idle(): Promise<void> {
    return this.#writing;
  }
}
