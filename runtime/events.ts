// The supervisors' event log: every event gets a number and a time, stands in memory for the routes, goes to
// the service's log, and is written to its topic in the background. A restart goes on counting where the
// topic ends.

import { invariant } from '../actors/domain/invariant.ts';
import type { Clock } from './host.ts';
import type { Log } from './log/log.ts';
import { EVENTS_TOPIC } from './services.ts';
import type { EventQuery, EventsView, RecordEvent, SupervisorEvent } from './views.ts';

const KEPT = 5_000;
const UNWRITTEN_MAX = 10_000;
const FLUSH_MS = 200;
const OF = { topic: EVENTS_TOPIC, partition: 0 };

const WRITER = 'supervisor.events';

export class EventLog implements EventsView {
  readonly #clock: Clock;
  readonly #emit: (event: SupervisorEvent) => void;
  readonly #listeners = new Set<(event: SupervisorEvent) => void>();
  readonly #unwritten: SupervisorEvent[] = [];
  #kept: SupervisorEvent[] = [];
  #seq = 0;
  #writer = WRITER;
  #log: Log | null = null;
  #flushing: Promise<void> | null = null;
  /** Events that could not be put on the topic, because it was out of order for too long. */
  dropped = 0;

  /** `emit` is called for each event at once: the service's own log. */
  constructor(clock: Clock, emit: (event: SupervisorEvent) => void) {
    this.#clock = clock;
    this.#emit = emit;
  }

  /**
   * Reads what earlier runs left on the topic, goes on counting from there, and writes there from now on.
   * Call it before the first event is recorded: an event never changes its number.
   */
  async attach(log: Log, worker: string | null = null): Promise<void> {
    invariant(this.#seq === 0, 'the event log is attached before its first event');
    const end = await log.end(OF);
    this.#kept = await earlierEvents(log, Math.max(0, end - KEPT), end);
    this.#seq = Math.max(end, this.#kept.at(-1)?.seq ?? 0);
    this.#log = log;
    if (worker !== null) this.#writer = `${WRITER}@${worker}`;
  }

  get attached(): boolean {
    return this.#log !== null;
  }

  readonly record: RecordEvent = (event) => {
    this.#seq += 1;
    const time = new Date(this.#clock.nowMs()).toISOString();
    const full: SupervisorEvent = { seq: this.#seq, time, ...event };
    this.#kept.push(full);
    if (this.#kept.length > 2 * KEPT) this.#kept = this.#kept.slice(-KEPT);
    if (this.#unwritten.length < UNWRITTEN_MAX) this.#unwritten.push(full);
    else this.dropped += 1;
    this.#emit(full);
    for (const listener of this.#listeners) listener(full);
    this.#schedule();
  };

  list(query: EventQuery): readonly SupervisorEvent[] {
    const { sinceSeq, sinceMs, limit } = query;
    if (sinceSeq === null && sinceMs === null) return this.#newest(query);
    const found: SupervisorEvent[] = [];
    const from = this.#kept.findIndex(
      ({ seq, time }) => seq > (sinceSeq ?? 0) && (sinceMs === null || Date.parse(time) >= sinceMs),
    );
    for (let index = from; index >= 0 && index < this.#kept.length && found.length < limit; index += 1) {
      const event = this.#kept[index];
      if (event !== undefined && wanted(event, query)) found.push(event);
    }
    return found;
  }

  #newest(query: EventQuery): readonly SupervisorEvent[] {
    const found: SupervisorEvent[] = [];
    for (let index = this.#kept.length - 1; index >= 0 && found.length < query.limit; index -= 1) {
      const event = this.#kept[index];
      if (event !== undefined && wanted(event, query)) found.push(event);
    }
    return found.reverse();
  }

  subscribe(listener: (event: SupervisorEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Writes what is left; for the end of the process. */
  async close(): Promise<void> {
    await this.#flushing;
    await this.#flush();
    this.#log = null;
  }

  #schedule(): void {
    if (this.#log === null || this.#flushing !== null || this.#unwritten.length === 0) return;
    const waited = new Promise<void>((done) => this.#clock.after(FLUSH_MS, done));
    this.#flushing = waited
      .then(() => this.#flush())
      .finally(() => {
        this.#flushing = null;
        this.#schedule();
      });
  }

  async #flush(): Promise<void> {
    const events = this.#unwritten.splice(0);
    if (events.length === 0 || this.#log === null) return;
    const outputs = events.map((event) => ({
      topic: EVENTS_TOPIC,
      key: event.actor,
      value: JSON.stringify(event),
      partition: 0,
    }));
    try {
      await this.#log.append(this.#writer, outputs, []);
    } catch {
      // The log is out of order, which health says; the events stand in memory and in the service's file.
      this.#unwritten.unshift(...events);
    }
  }
}

function wanted(event: SupervisorEvent, { actor, kind }: EventQuery): boolean {
  return (actor === null || event.actor.startsWith(actor)) && (kind === null || event.kind === kind);
}

async function earlierEvents(log: Log, from: number, end: number): Promise<SupervisorEvent[]> {
  const decoder = new TextDecoder();
  const found: SupervisorEvent[] = [];
  for (let at = from; at < end; ) {
    const batch = await log.read(OF, at, end - at);
    if (batch === null) break;
    for (let index = 0; index < batch.count; index += 1) {
      found.push(JSON.parse(decoder.decode(batch.value(index))));
    }
    at = batch.nextOffset;
  }
  return found;
}
