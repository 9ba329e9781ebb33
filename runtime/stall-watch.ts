// Sees to it that no partition stands still in silence. A partition of this member that has a lag, and whose
// position has not moved over a row of looks, is told in one event with what it waits for, stands in health
// and inspection until it moves, and is told again when it does. It goes by what the log says, so it is true
// of partitions that have no router at all. Looks are counted, not clocks: a clock that is set says nothing.

import type { Clock } from './host.ts';
import type { PartitionLag, TopicPartition } from './log/log.ts';
import { repeating } from './repeating.ts';
import { type Standing, standingText } from './standing.ts';

export interface StallPorts {
  readonly clock: Clock;
  /** Of the group, as the log has it. */
  readonly lag: () => Promise<readonly PartitionLag[]>;
  /** Null: not a partition of this member. */
  readonly standing: (of: TopicPartition) => Standing | null;
  readonly stalled: (cause: string) => void;
  readonly moved: (cause: string) => void;
  /** A partition that has not moved for so long stands still. */
  readonly afterMs: number;
}

interface Seen {
  readonly committed: number;
  readonly sinceMs: number;
  looks: number;
  told: boolean;
}

const LOOKS = 4;
const NAMED_MAX = 3;

export class StallWatch {
  readonly #ports: StallPorts;
  readonly #seen = new Map<string, Seen>();
  #stalled: ReadonlyMap<string, string> = new Map();
  /** Null: it does not look. */
  #stop: (() => void) | null = null;

  constructor(ports: StallPorts) {
    this.#ports = ports;
  }

  /** What stands still, by `topic/partition`, as of the last look. */
  get stalled(): ReadonlyMap<string, string> {
    return this.#stalled;
  }

  start(): void {
    const { clock, afterMs } = this.#ports;
    this.#stop = repeating(clock, afterMs / LOOKS, () => this.#look());
  }

  stop(): void {
    this.#stop?.();
    this.#stop = null;
    this.#stalled = new Map();
  }

  /** A log that does not answer says so itself. */
  async #look(): Promise<void> {
    const lags = await this.#ports.lag().catch(() => null);
    if (lags === null || this.#stop === null) return;
    const stalled = new Map<string, string>();
    const fresh: string[] = [];
    const moved: string[] = [];
    for (const of of lags) {
      const place = `${of.topic}/${of.partition}`;
      const standing = this.#ports.standing(of);
      const before = this.#seen.get(place);
      if (standing === null || of.lag <= 0 || before?.committed !== of.committed) {
        if (before?.told === true && standing !== null) moved.push(this.#after(place, before));
        this.#forget(place, standing === null || of.lag <= 0 ? null : of);
        continue;
      }
      before.looks += 1;
      if (before.looks < LOOKS) continue;
      const text = `${place} at ${of.committed}, ${of.lag} behind: ${standingText(standing)}`;
      stalled.set(place, text);
      if (!before.told) fresh.push(text);
      before.told = true;
    }
    this.#stalled = stalled;
    if (fresh.length > 0) this.#ports.stalled(named('stand still', fresh));
    if (moved.length > 0) this.#ports.moved(named('moved on', moved));
  }

  #forget(place: string, at: PartitionLag | null): void {
    if (at === null) this.#seen.delete(place);
    else {
      const { committed } = at;
      this.#seen.set(place, { committed, sinceMs: this.#ports.clock.nowMs(), looks: 0, told: false });
    }
  }

  #after(place: string, { sinceMs }: Seen): string {
    return `${place} after ${Math.round((this.#ports.clock.nowMs() - sinceMs) / 1_000)} s`;
  }
}

/** A few by name. */
function named(what: string, all: readonly string[]): string {
  const more = all.length > NAMED_MAX ? `; and ${all.length - NAMED_MAX} more` : '';
  return `partitions ${what}: ${all.slice(0, NAMED_MAX).join('; ')}${more}`;
}
