// What a member asks of its sink, seen from the sink's side: how many inserts of a topic are under way at
// once, how many rows one of them takes, and whether a partition stands in one twice, as when a router that
// is gone left a batch behind. It changes nothing.

import type { Receipt, Rows, Sink } from '../../sinks/sink.ts';

export interface Inserts {
  /** Rows of the largest one. */
  readonly rows: number;
  /** Under way at once, of one topic. */
  readonly atOnce: number;
  /** Batches of one partition in one insert. */
  readonly alike: number;
}

export class WatchedSink implements Sink {
  readonly #sink: Sink;
  readonly #underWay = new Map<string, number>();
  most: Inserts = { rows: 0, atOnce: 0, alike: 0 };

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  async write(rows: Rows, signal: AbortSignal): Promise<Receipt> {
    const { topic, count, token } = rows;
    const now = (this.#underWay.get(topic) ?? 0) + 1;
    this.#underWay.set(topic, now);
    const { most } = this;
    this.most = {
      rows: Math.max(most.rows, count),
      atOnce: Math.max(most.atOnce, now),
      alike: Math.max(most.alike, alike(token)),
    };
    try {
      return await this.#sink.write(rows, signal);
    } finally {
      this.#underWay.set(topic, (this.#underWay.get(topic) ?? 1) - 1);
    }
  }

  health(): Promise<string | null> {
    return this.#sink.health();
  }

  close(): Promise<void> {
    return this.#sink.close();
  }
}

/** A token names the places that the rows come from: `<topic>/<partition>/…`, joined by `+`. */
function alike(token: string): number {
  const found = new Map<string, number>();
  for (const place of token.split('+')) {
    const partition = place.split('/', 2).join('/');
    found.set(partition, (found.get(partition) ?? 0) + 1);
  }
  return Math.max(...found.values());
}
