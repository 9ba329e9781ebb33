// The layouts of topics that have one: records of the compacted topic `layouts.v1`, by topic. Every process
// looks for partitions that were added, and whoever sees them first carries the change out.

import { asLayout, type Barrier, barrierValue, LAYOUT_KEY } from '../../actors/layout.ts';
import { afresh } from './afresh.ts';
import { readChangelog, WRITERS_CHANGELOG } from './kafka-changelog.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import { Epochs } from './kafka-epochs.ts';
import { layoutsId, slotId, writerId } from './kafka-ids.ts';
import type { Part, TransactionOptions } from './kafka-transaction.ts';
import { type ChangePorts, changeLayout, type LayoutRecord } from './layout-change.ts';
import type { WriterOf } from './log.ts';
import { LogFault } from './log-fault.ts';

export const LAYOUTS = 'layouts.v1';
const AT = { topic: LAYOUTS, partition: 0 };
const OPENS_MS_MAX = 5_000;
const LOOK_MS = 20;
const VISIBLE_MS_MAX = 30_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export interface LayoutsPorts {
  readonly cluster: KafkaCluster;
  readonly transactions: TransactionOptions;
  readonly fetchBytesMax: number;
  readonly nowMs: () => number;
}

export class Layouts implements ChangePorts {
  readonly #ports: LayoutsPorts;
  readonly #declared = new Map<string, readonly WriterOf[]>();
  #known: ReadonlyMap<string, LayoutRecord> = new Map();
  /** Afterwards everything is known that was decided before the call. */
  readonly refresh: () => Promise<void> = afresh(() => this.#read());
  /** The topic is. */
  #there = false;

  constructor(ports: LayoutsPorts) {
    this.#ports = ports;
  }

  /** Topics whose layout is kept here. */
  get declared(): readonly string[] {
    return [...this.#declared.keys()];
  }

  declare(topic: string, writers: readonly WriterOf[]): void {
    this.#declared.set(topic, writers);
  }

  /** As of the last refresh. */
  of(topic: string): LayoutRecord | null {
    return this.#known.get(topic) ?? null;
  }

  /** The layout to place records by. Waits while it is being changed, at last with a retryable LogFault. */
  async open(topic: string): Promise<LayoutRecord | null> {
    const deadline = performance.now() + OPENS_MS_MAX;
    for (;;) {
      const record = this.of(topic);
      if (record === null || record.closingTo === null) return record;
      if (performance.now() > deadline) {
        throw new LogFault(`the layout of ${topic} is being changed`, 'log_layout_closing', true);
      }
      await Bun.sleep(LOOK_MS);
      await this.refresh();
    }
  }

  /** True: something was changed. Throws LogFault; asked again, it goes on. */
  change(topic: string): Promise<boolean> {
    return this.#ports.cluster.use(`layout of ${topic}`, () => changeLayout(this, topic));
  }

  async read(topic: string): Promise<LayoutRecord | null> {
    await this.refresh();
    return this.of(topic);
  }

  async write(
    topic: string,
    expected: LayoutRecord | null,
    next: LayoutRecord,
    barrier: Barrier | null,
  ): Promise<boolean> {
    const { cluster, transactions, nowMs } = this.#ports;
    const producer = await new Epochs(cluster, layoutsId(topic), transactions).next();
    if (!same(await this.read(topic), expected)) return false;
    const value = encoder.encode(JSON.stringify(next));
    const parts: Part[] = [{ ...AT, records: [{ key: topic, value }] }];
    const older = barrier?.layout.steps.at(-1)?.from ?? 0;
    for (let partition = 0; partition < older && barrier !== null; partition += 1) {
      const record = { key: LAYOUT_KEY, value: barrierValue(barrier, nowMs()) };
      parts.push({ topic, partition, records: [record] });
    }
    await producer.run(parts, null);
    return this.#visible(topic, expected);
  }

  partitions(topic: string): Promise<number> {
    return this.#ports.cluster.use(`partitions of ${topic}`, async () => {
      const [count = 0] = (await this.#ports.cluster.counts([topic])).values();
      return count;
    });
  }

  async writers(topic: string): Promise<readonly string[]> {
    const { cluster, fetchBytesMax } = this.#ports;
    const ids: string[] = [];
    const registered = await readChangelog(
      cluster,
      { topic: WRITERS_CHANGELOG, partition: 0 },
      '',
      fetchBytesMax,
    );
    const names = new Set(registered.map(([key]) => key.slice(0, key.indexOf('\u0000'))));
    for (const of of this.#declared.get(topic) ?? []) {
      if ('writer' in of) {
        const mine = [...names].filter((name) => name === of.writer || name.startsWith(`${of.writer}/`));
        ids.push(...mine.map(writerId));
        continue;
      }
      for (const [input, count] of await cluster.counts(of.inputs)) {
        for (let partition = 0; partition < count; partition += 1)
          ids.push(slotId(of.group, { topic: input, partition }));
      }
    }
    return ids;
  }

  async fence(writer: string): Promise<void> {
    await new Epochs(this.#ports.cluster, writer, this.#ports.transactions).next();
  }

  /** A commit is answered a moment before it is shown. */
  async #visible(topic: string, expected: LayoutRecord | null): Promise<boolean> {
    const deadline = performance.now() + VISIBLE_MS_MAX;
    while (same(await this.read(topic), expected)) {
      if (performance.now() > deadline) throw new Error(`the layout of ${topic} is not shown yet`);
      await Bun.sleep(LOOK_MS);
    }
    return true;
  }

  async #read(): Promise<void> {
    const stored = await this.#stored();
    this.#known = new Map(stored.flatMap(([topic, value]) => recordOf(topic, value)));
  }

  /** Before the first bootstrap there are no layouts. */
  async #stored(): Promise<readonly (readonly [string, Uint8Array])[]> {
    const { cluster, fetchBytesMax } = this.#ports;
    if (!this.#there) this.#there = (await cluster.counts([LAYOUTS])).has(LAYOUTS);
    return this.#there ? readChangelog(cluster, AT, '', fetchBytesMax) : [];
  }
}

function recordOf(topic: string, value: Uint8Array): [string, LayoutRecord][] {
  const { layout, closingTo }: { layout?: unknown; closingTo?: number | null } = JSON.parse(
    decoder.decode(value),
  );
  const found = asLayout(layout);
  if (found === null) throw new LogFault(`the layout of ${topic} is damaged`, 'log_corrupt', false);
  return [[topic, { layout: found, closingTo: closingTo ?? null }]];
}

function same(a: LayoutRecord | null, b: LayoutRecord | null): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
