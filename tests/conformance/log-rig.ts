// What the suite of the log works with: the harness that each log gives, one open log, names of their own for
// every test, so that one broker can serve them all.

import type { Log, StateChange, TopicSpec } from '../../runtime/log/log.ts';

export interface OpenLog {
  readonly log: Log;
  /** Closes the log and opens it again on the same data, as a restart does. */
  reopen(): Promise<Log>;
  /** Moves the clock of what is appended next on by `ms`. */
  advance(ms: number): Promise<void>;
  dispose(): Promise<void>;
}

export interface LogHarness {
  readonly name: string;
  /** One log for the whole suite. */
  open(): Promise<OpenLog>;
  /** A record of this size is taken. */
  readonly valueBytes: number;
  /** One of this size is over the bound. */
  readonly valueBytesOver: number;
  /** Offsets that a commit takes besides its records, such as a transaction's marker. */
  readonly markers: number;
  readonly timeoutMs: number;
}

const encoder = new TextEncoder();

export function text(of: string): Uint8Array {
  return encoder.encode(of);
}

export function put(key: string, value: string): StateChange {
  return { key, value: text(value) };
}

export class Rig {
  open: OpenLog | null = null;
  log: Log | null = null;
  #count = 0;
  readonly #prefix = `t${Date.now().toString(36)}`;

  get opened(): Log {
    if (this.log === null) throw new Error('the log is not open');
    return this.log;
  }

  name(what: string): string {
    this.#count += 1;
    return `${this.#prefix}.${this.#count}.${what}`;
  }

  async topic(partitions: number): Promise<string> {
    const name = this.name('records.v1');
    await this.opened.bootstrap([spec(name, partitions)]);
    return name;
  }

  async reopen(): Promise<Log> {
    if (this.open === null) throw new Error('the log is not open');
    this.log = await this.open.reopen();
    return this.log;
  }

  fill(topic: string, values: readonly string[], partition = 0): Promise<void> {
    const outputs = values.map((value) => ({ topic, key: 'k', value, partition }));
    return this.opened.append(this.name('writer'), outputs, []);
  }
}

export function spec(name: string, partitions: number): TopicSpec {
  return { name, partitions, retentionMs: null, compacted: false };
}
