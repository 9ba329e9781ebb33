// Replays responses into the log: carries out what the connector's behaviour decides. Reads each file once,
// parses it with the feed that recognises it, and waits while the readers behind it are too far back.

import {
  type ConnectorEffect,
  type ConnectorMessage,
  type ConnectorState,
  type Cursor,
  connectorBehaviour,
  connectorStart,
} from '../actors/connector.ts';
import type { RawRecord } from '../actors/domain/wire.ts';
import type { Feed, Parsed, Response } from '../actors/feeds/feed.ts';
import { type Finding, findingsOf } from '../actors/feeds/findings.ts';
import type { Address, Clock, Host } from './host.ts';
import type { Log, Outgoing, StateChange } from './log/log.ts';
import { calendarOutput, closedKey, cursorKey, rawOutputs, WRITER } from './raw-outputs.ts';
import { Retries } from './retries.ts';
import type { RecordEvent } from './views.ts';

export interface ReplayPlan {
  readonly name: string;
  readonly responses: AsyncIterable<Response>;
  readonly findFeed: (response: Response) => Feed | null;
  readonly parse: (feed: Feed, response: Response) => Parsed | Promise<Parsed>;
  /** When the calendar of a run is closed: first instant after the operating day that holds `endUs`, µs. */
  readonly closeAt: (market: string, run: string, endUs: number) => number;
  readonly tenantId: string;
  readonly chunkMax: number;
  /** Event seconds a second, gaps of more than a day left out; null: as fast as the readers allow. */
  readonly speed: number | null;
  /** Resolves when the readers have room for more. */
  readonly room: () => Promise<void>;
  /** Resolves when normalization has taken all that is on the log, so that no calendar overtakes a tick. */
  readonly settled: () => Promise<void>;
  readonly responseDone: (cursor: Cursor, fresh: boolean) => void;
  readonly extracted: (market: string, records: number) => void;
}

export interface ReplayPorts {
  readonly host: Host;
  readonly clock: Clock;
  readonly log: Log;
  readonly record: RecordEvent;
}

/** A paced replay waits for longer gaps between intervals no longer: they lie between recordings. */
const GAP_MS_MAX = 24 * 3_600_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class ReplaySource {
  readonly #ports: ReplayPorts;
  readonly #plan: ReplayPlan;
  readonly #responses: AsyncIterator<Response>;
  readonly #finished = Promise.withResolvers<void>();
  readonly #address: Address<ConnectorMessage>;
  readonly #stop = new AbortController();
  #state: ConnectorState = connectorStart;
  #cursors: Map<string, Uint8Array> | null = null;
  readonly #retries: Retries;
  #lastEventUs: number | null = null;

  constructor(ports: ReplayPorts, plan: ReplayPlan, parent: Address<never>) {
    this.#ports = ports;
    this.#plan = plan;
    this.#responses = plan.responses[Symbol.asyncIterator]();
    const behaviour = connectorBehaviour({ chunkMax: plan.chunkMax, perInterval: plan.speed !== null });
    this.#address = ports.host.spawn<ConnectorState, ConnectorMessage, ConnectorEffect>({
      name: plan.name,
      parent,
      initial: connectorStart,
      behaviour: (state, message) => {
        const step = behaviour(state, message);
        this.#state = step.state;
        return step;
      },
      perform: (effect) => this.#perform(effect),
      crashed: (error) => this.#finished.reject(error),
    });
    const { clock, record } = ports;
    const about = { service: 'connectors', actor: this.path, kinds: ['note', 'resume'] } as const;
    this.#retries = new Retries({ clock, record, ...about, quietMs: null });
  }

  get path(): string {
    return this.#address.path;
  }

  get state(): ConnectorState {
    return this.#state;
  }

  /** Resolves when everything is on the log and the calendars are closed, or after `drain`. */
  run(): Promise<void> {
    this.#address.tell({ kind: 'start' });
    return this.#finished.promise;
  }

  /** Finishes the append under way and stops. */
  drain(): void {
    this.#stop.abort();
    this.#address.tell({ kind: 'drain' });
    this.#finished.resolve();
  }

  #perform(effect: ConnectorEffect): void {
    switch (effect.kind) {
      case 'open-next':
        return this.#answer(this.#open());
      case 'await-room':
        return this.#answer(this.#room(effect.next));
      case 'append':
        return this.#answer(this.#append(effect));
      case 'close-calendar':
        return this.#answer(this.#closeCalendar(effect.ends));
      case 'response-done':
        return this.#plan.responseDone(effect.cursor, effect.fresh);
      case 'back-off':
        return this.#backOff(effect.cause);
      case 'finished':
        return this.#finished.resolve();
    }
  }

  #answer(answer: Promise<ConnectorMessage | null>): void {
    answer.then(
      (message) => {
        if (message !== null && !this.#stop.signal.aborted) this.#address.tell(message);
      },
      (error: unknown) => {
        const cause = error instanceof Error ? error.message : String(error);
        this.#address.tell({ kind: 'failed', cause });
      },
    );
  }

  async #open(): Promise<ConnectorMessage> {
    this.#cursors ??= new Map(await this.#ports.log.writerState(WRITER));
    const next = await this.#responses.next();
    if (next.done === true) return { kind: 'no-more' };
    const response = next.value;
    const id = responseId(response);
    const stored = this.#cursors.get(cursorKey(id));
    const cursor: Cursor | null = stored === undefined ? null : JSON.parse(decoder.decode(stored));
    if (cursor !== null && cursor.done === cursor.total) return { kind: 'known', cursor };
    const feed = this.#plan.findFeed(response);
    const parsed = feed === null ? unknownFormat(response) : await this.#parse(feed, response);
    if (cursor === null) for (const each of findingsOf(response.name, parsed)) this.#note(each);
    return { kind: 'opened', response: id, name: response.name, parsed, done: cursor?.done ?? 0 };
  }

  /** A feed that throws has a defect; its response is refused and the others go on. */
  async #parse(feed: Feed, response: Response): Promise<Parsed> {
    try {
      return await this.#plan.parse(feed, response);
    } catch (error) {
      const said = error instanceof Error ? error.message : String(error);
      return refused('malformed', `${feed.name} failed on '${response.name}': ${said}`);
    }
  }

  async #room(next: RawRecord): Promise<ConnectorMessage> {
    await this.#plan.room();
    const { speed } = this.#plan;
    if (speed !== null && this.#lastEventUs !== null) {
      const gapMs = (next.interval_start - this.#lastEventUs) / 1_000;
      const delayMs = gapMs > 0 && gapMs <= GAP_MS_MAX ? gapMs / speed : 0;
      await new Promise<void>((done) => this.#ports.clock.after(delayMs, done));
    }
    this.#lastEventUs = next.interval_start;
    return { kind: 'may-go' };
  }

  async #append(effect: Extract<ConnectorEffect, { kind: 'append' }>): Promise<ConnectorMessage> {
    const outputs = rawOutputs(effect.records);
    const key = cursorKey(effect.response);
    const value = encoder.encode(JSON.stringify(effect.cursor));
    await this.#ports.log.append(WRITER, outputs, [{ key, value }]);
    this.#retries.passed(this.path);
    this.#cursors?.set(key, value);
    const market = effect.records[0]?.market;
    if (market !== undefined) this.#plan.extracted(market, effect.records.length);
    return { kind: 'appended' };
  }

  /**
   * Each run's calendar goes to every partition of its market, unless an earlier run of us closed it as far.
   */
  async #closeCalendar(ends: Readonly<Record<string, number>>): Promise<ConnectorMessage> {
    await this.#plan.settled();
    const outputs: Outgoing[] = [];
    const state: StateChange[] = [];
    for (const [key, endUs] of Object.entries(ends)) {
      const [market, run] = key.split(':');
      if (market === undefined || run === undefined) continue;
      const advanceTo = this.#plan.closeAt(market, run, endUs);
      const closedTo = Number(decoder.decode(this.#cursors?.get(closedKey(key)) ?? new Uint8Array()));
      if (closedTo >= advanceTo) continue;
      const { tenantId } = this.#plan;
      outputs.push(calendarOutput({ market, run, advanceTo, tenantId }));
      state.push({ key: closedKey(key), value: encoder.encode(String(advanceTo)) });
    }
    await this.#ports.log.append(WRITER, outputs, state);
    this.#retries.passed(this.path);
    return { kind: 'appended' };
  }

  #note({ cause, decision }: Finding): void {
    const actor = this.path;
    this.#ports.record({ kind: 'note', service: 'connectors', actor, cause, decision, budget_left: null });
  }

  #backOff(cause: string): void {
    this.#retries.failed(this.path, cause, 'tried again in 1 s, and so on');
    this.#ports.clock.after(1_000, () => this.#address.tell({ kind: 'retry' }));
  }
}

/**
 * What a response's records follow from. The content alone would not do: the same values published again
 * after others (A, B, A) can be the same bytes under another stamp.
 */
function responseId({ name, takenMs, bytes }: Response): string {
  return new Bun.CryptoHasher('sha256').update(`${name}\u0000${takenMs}\u0000`).update(bytes).digest('hex');
}

function unknownFormat(response: Response): Parsed {
  const detail = `no feed recognises '${response.name}': expected a CAISO OASIS or MISO response`;
  return refused('unknown_format', detail);
}

function refused(reason: 'unknown_format' | 'malformed', detail: string): Parsed {
  const ledger = { rowsRead: 0, rowsUsed: 0, rowsRefused: 0 };
  return { records: [], refused: [], ledger, warnings: [], refusal: { reason, detail } };
}
