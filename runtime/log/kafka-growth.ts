// Notices partitions that were added to a topic whose layout is kept, and takes the layout there. Every
// process looks; whoever sees it first begins, and what one left half done is finished by another.

import { partitionsOf, versionOf } from '../../actors/layout.ts';
import { systemClock } from '../clock.ts';
import { repeating } from '../repeating.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import type { Layouts } from './kafka-layouts.ts';
import { LogFault } from './log-fault.ts';

export interface GrowthPorts {
  readonly cluster: KafkaCluster;
  readonly layouts: Layouts;
  readonly periodMs: number;
  /** Topics have more partitions than at the last look: what is known of them is stale. */
  readonly grew: () => void;
  readonly told: (cause: string, decision: string) => void;
  readonly note: (cause: string) => void;
}

export class Growth {
  readonly #ports: GrowthPorts;
  readonly #counts = new Map<string, number>();
  /** Topics that another process was seen changing. */
  readonly #closing = new Set<string>();
  #stop: (() => void) | null = null;
  #looking: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(ports: GrowthPorts) {
    this.#ports = ports;
  }

  /** From now on; the first look is at once. */
  start(): void {
    if (this.#closed) return;
    this.#stop ??= repeating(systemClock, this.#ports.periodMs, () => this.#lookAgain(), 0);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stop?.();
    await this.#looking;
  }

  /** Looks now. Throws LogFault. */
  async look(): Promise<void> {
    const { cluster, layouts, grew, told } = this.#ports;
    const counts = await cluster.use('partitions', () => cluster.counts(layouts.declared));
    const more = [...counts].filter(([topic, count]) => count > (this.#counts.get(topic) ?? count));
    for (const [topic, count] of counts) this.#counts.set(topic, count);
    for (const [topic, count] of more) {
      const { layout } = layouts.of(topic) ?? { layout: { base: count, steps: [] } };
      const known = `layout ${versionOf(layout)} has ${partitionsOf(layout)}`;
      const cause = `${topic} has ${count} partitions, ${known}`;
      told(cause, 'its keys move behind barriers; nothing stops');
    }
    if (more.length > 0) grew();
    await layouts.refresh();
    for (const [topic, count] of counts) await this.#advance(topic, count);
  }

  /** Looks until the layout has as many. Throws a retryable LogFault while it does not. */
  async reach(topic: string, partitions: number): Promise<void> {
    await this.look();
    const record = this.#ports.layouts.of(topic);
    if (record !== null && partitionsOf(record.layout) >= partitions) return;
    throw new LogFault(`the layout of ${topic} is being changed`, 'log_layout_closing', true);
  }

  async #advance(topic: string, count: number): Promise<void> {
    const { layouts, grew, told } = this.#ports;
    const record = layouts.of(topic);
    const closing = record !== null && record.closingTo !== null;
    // Whoever began it mostly ends it: only what stands for longer is taken over.
    if (closing && !this.#closing.has(topic)) {
      this.#closing.add(topic);
      return;
    }
    if (record !== null && !closing && partitionsOf(record.layout) >= count) {
      this.#closing.delete(topic);
      return;
    }
    if (!(await layouts.change(topic))) return;
    const now = layouts.of(topic);
    if (record === null || now === null) return;
    told(
      `layout ${versionOf(now.layout)} of ${topic} is open: ${partitionsOf(now.layout)} partitions`,
      'every writer was fenced, a barrier stands in each older partition',
    );
    grew();
  }

  #lookAgain(): Promise<void> {
    this.#looking = this.look().catch((error: unknown) =>
      this.#ports.note(error instanceof Error ? error.message : String(error)),
    );
    return this.#looking;
  }
}
