// The supervisors' event log: every event gets a number and a time, stands in memory for the routes, goes to
// the service's log, and is written to its topic in the background. A restart goes on counting where the
// topic ends.

import type { Clock } from './host.ts';
import type { Log } from './log/log.ts';
import { EVENTS_TOPIC } from './services.ts';
import type { EventQuery, EventsView, RecordEvent, SupervisorEvent } from './views.ts';

const KEPT = 5_000;
const UNWRITTEN_MAX = 10_000;
const FLUSH_MS = 200;
const OF = { topic: EVENTS_TOPIC, partition: 0 };

export class EventLog implements EventsView {
  readonly #clock: Clock;
  readonly #emit: (event: SupervisorEvent) => void;
  readonly #listeners = new Set<(event: SupervisorEvent) => void>();
  readonly #unwritten: SupervisorEvent[] = [];
  #kept: SupervisorEvent[] = [];
  #seq = 0;
  #log: Log | null = null;
  #flushing: Promise<void> | null = null;
  /** Events that could not be put on the topic, because it was out of order for too long. */
  dropped = 0;

  /** `emit` is called for each event at once: the service's own log. */
  constructor(clock: Clock, emit: (event: SupervisorEvent) => void) {
    this.#clock = clock;
    this.#emit = emit;
  }

  /** Reads what earlier runs left on the topic, and writes there from now on. */
  async attach(log: Log): Promise<void> {
    const end = await log.end(OF);
    const earlier = await earlierEvents(log, Math.max(0, end - KEPT), end);
    const last = Math.max(end, earlier.at(-1)?.seq ?? 0);
    const renumbered = this.#kept.map((event) => ({ ...event, seq: last + event.seq }));
    this.#seq += last;
    this.#kept = [...earlier, ...renumbered].slice(-KEPT);
    this.#unwritten.splice(0, this.#unwritten.length, ...renumbered);
    this.#log = log;
    this.#schedule();
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
    const { sinceSeq, sinceMs, actor, kind, limit } = query;
    const found: SupervisorEvent[] = [];
    for (let index = this.#kept.length - 1; index >= 0 && found.length < limit; index -= 1) {
      const event = this.#kept[index];
      if (event === undefined || event.seq <= sinceSeq) break;
      if (sinceMs !== null && Date.parse(event.time) < sinceMs) break;
      if (actor !== null && !event.actor.startsWith(actor)) continue;
      if (kind === null || event.kind === kind) found.push(event);
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
      await this.#log.append('supervisor.events', outputs, []);
    } catch {
      // The log is out of order, which health says; the events stand in memory and in the service's file.
      this.#unwritten.unshift(...events);
    }
  }
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
