// A model of brokers, small enough that every interleaving can be looked at: one topic, one layout record,
// and transactional ids with epochs. Each step of a process waits for its turn; a transaction appends first
// and is decided by a second step, so that a fence may come between. The change is the product's code.

import { type Layout, partitionsOf, versionOf } from '../../actors/layout.ts';
import { type ChangePorts, changeLayout, type LayoutRecord } from '../../runtime/log/layout-change.ts';

interface Entry {
  readonly id: string;
  readonly epoch: number;
  /** Of the layout that a record was placed by; of a barrier: the one that begins. */
  readonly version: number;
  readonly barrier: boolean;
  readonly what: string;
  state: 'open' | 'committed' | 'aborted';
}

interface Stored {
  readonly record: LayoutRecord;
  readonly entry: Entry;
}

interface Step {
  readonly process: string;
  readonly enabled: () => boolean;
  readonly act: () => void;
}

/** Left by a process that was killed. */
const NEVER = new Promise<never>(() => {});

export class Model {
  /** What stands in the older partitions, in order of appending; all of them hold the same here. */
  readonly log: Entry[] = [];
  readonly #records: Stored[] = [];
  readonly #epochs = new Map<string, number>();
  readonly #dead = new Set<string>();
  readonly #history = new Map<string, string[]>();
  steps: Step[] = [];
  partitions: number;
  /** What comes of a death. */
  died: () => void = () => {};

  constructor(
    readonly writers: readonly string[],
    partitions: number,
  ) {
    this.partitions = partitions;
  }

  step<T>(process: string, name: string, act: () => T, enabled: () => boolean = () => true): Promise<T> {
    if (this.#dead.has(process)) return NEVER;
    const { promise, resolve } = Promise.withResolvers<T>();
    const carriedOut = (): void => {
      const result = act();
      const history = this.#history.get(process) ?? [];
      this.#history.set(process, [...history, `${name}=${JSON.stringify(result)}`]);
      resolve(result);
    };
    this.steps.push({ process, enabled, act: carriedOut });
    return promise;
  }

  kill(process: string): void {
    this.#dead.add(process);
    this.steps = this.steps.filter((each) => each.process !== process);
    this.died();
  }

  /** Everything that what comes next depends on. */
  get key(): string {
    const histories = [...this.#history].sort(([a], [b]) => (a < b ? -1 : 1));
    const log = this.log.map(({ id, version, barrier, what, state }) => [id, version, barrier, what, state]);
    const records = this.#records.map(({ record, entry }) => [record, entry.state]);
    const epochs = [...this.#epochs].sort();
    return JSON.stringify([histories, [...this.#dead], log, records, epochs, this.partitions]);
  }

  get layout(): Layout | null {
    const record = this.#now();
    return record !== null && record.closingTo === null ? record.layout : null;
  }

  #now(): LayoutRecord | null {
    return this.#records.findLast(({ entry }) => entry.state === 'committed')?.record ?? null;
  }

  #init(id: string): number {
    const epoch = (this.#epochs.get(id) ?? 0) + 1;
    this.#epochs.set(id, epoch);
    for (const each of [...this.log, ...this.#records.map(({ entry }) => entry)])
      if (each.id === id && each.state === 'open') each.state = 'aborted';
    return epoch;
  }

  #append(id: string, epoch: number, entry: Omit<Entry, 'id' | 'epoch' | 'state'>): Entry | null {
    if (this.#epochs.get(id) !== epoch) return null;
    return { ...entry, id, epoch, state: 'open' };
  }

  #end(entries: readonly (Entry | null)[]): boolean {
    const sound = entries.every((each) => each !== null && each.state === 'open');
    if (sound) for (const each of entries) if (each !== null) each.state = 'committed';
    return sound;
  }

  /**
   * As a slot or a writer of the product commits: an epoch, the layout, the placing, then the transaction.
   * `gives`: once it is fenced it leaves the work to its successor.
   */
  async write(process: string, id: string, commits: number, gives = false): Promise<void> {
    let epoch = 0;
    let record: LayoutRecord | null = null;
    for (let n = 0; n < commits; ) {
      if (epoch === 0) {
        epoch = await this.step(process, 'init', () => this.#init(id));
        record = await this.step(process, 'read', () => this.#now());
      }
      if (record?.closingTo !== null) {
        const open = (): boolean => this.#now()?.closingTo === null;
        record = await this.step(process, 'wait', () => this.#now(), open);
      }
      const version = versionOf(record?.layout ?? { base: 1, steps: [] });
      const mine = epoch;
      const entry = await this.step(process, 'append', () => {
        const made = this.#append(id, mine, { version, barrier: false, what: `${id} ${n}` });
        if (made !== null) this.log.push(made);
        return made;
      });
      const committed = entry !== null && (await this.step(process, 'end', () => this.#end([entry])));
      if (committed) n += 1;
      else if (gives) return;
      else epoch = 0;
    }
  }

  /** Takes the layout as far as it goes, `times` times. */
  async change(process: string, times: number, fence = true): Promise<void> {
    for (let n = 0; n < times; n += 1) await changeLayout(this.#ports(process, fence), 'topic');
  }

  #ports(process: string, fence: boolean): ChangePorts {
    return {
      read: () => this.step(process, 'read', () => this.#now()),
      partitions: () => this.step(process, 'count', () => this.partitions),
      writers: async () => this.writers,
      fence: async (id) => {
        if (fence) await this.step(process, `fence ${id}`, () => this.#init(id));
      },
      write: async (_topic, expected, next, barrier) => {
        const epoch = await this.step(process, 'init', () => this.#init('layouts'));
        const found = await this.step(process, 'compare', () => this.#now());
        if (JSON.stringify(found) !== JSON.stringify(expected)) return false;
        const entries = await this.step(process, 'append', () => {
          const version = versionOf(next.layout);
          const about = { version, barrier: barrier !== null, what: `layout ${version}` };
          const record = this.#append('layouts', epoch, about);
          if (record === null) return [null];
          this.#records.push({ record: next, entry: record });
          if (barrier === null) return [record];
          const mark = { ...record };
          this.log.push(mark);
          return [record, mark];
        });
        return this.step(process, 'end', () => this.#end(entries));
      },
    };
  }
}

/** What is wrong with what stands in an older partition; empty when nothing is. */
export function misplaced(model: Model): string[] {
  let version = 1;
  const faults: string[] = [];
  for (const entry of model.log.filter(({ state }) => state === 'committed')) {
    if (entry.barrier && entry.version !== version + 1) faults.push(`${entry.what} behind layout ${version}`);
    if (entry.barrier) version = entry.version;
    else if (entry.version !== version) faults.push(`${entry.what} of ${entry.version} behind ${version}`);
  }
  return faults;
}

export interface Explored {
  readonly states: number;
  readonly ends: number;
  readonly faults: readonly string[];
}

/** Every order in which the steps can come, each state once. `ended` judges where nothing is left. */
export async function explore(
  start: () => Model,
  ended: (model: Model) => readonly string[],
  victims: readonly string[] = [],
): Promise<Explored> {
  const seen = new Set<string>();
  const faults = new Set<string>();
  const open: (readonly number[])[] = [[]];
  let ends = 0;
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    const model = start();
    await turn();
    for (const choice of path) await take(model, choice, victims);
    for (const fault of misplaced(model)) faults.add(fault);
    if (seen.has(model.key)) continue;
    seen.add(model.key);
    const choices = choicesOf(model, victims);
    if (model.steps.every((each) => !each.enabled())) {
      ends += 1;
      for (const fault of ended(model)) faults.add(fault);
    }
    for (let n = 0; n < choices; n += 1) open.push([...path, n]);
  }
  return { states: seen.size, ends, faults: [...faults] };
}

function enabledOf(model: Model): Step[] {
  return model.steps.filter((each) => each.enabled());
}

/** A step of any process, or the death of one that may die. */
function choicesOf(model: Model, victims: readonly string[]): number {
  const living = victims.filter((each) => model.steps.some(({ process }) => process === each));
  return enabledOf(model).length + living.length;
}

async function take(model: Model, choice: number, victims: readonly string[]): Promise<void> {
  const enabled = enabledOf(model);
  const step = enabled[choice];
  if (step === undefined) {
    const living = victims.filter((each) => model.steps.some(({ process }) => process === each));
    model.kill(living[choice - enabled.length] ?? '');
    return;
  }
  model.steps = model.steps.filter((each) => each !== step);
  step.act();
  await turn();
}

/** Until every process waits for its next step. */
function turn(): Promise<void> {
  return new Promise((done) => setImmediate(done));
}

export function asItShouldEnd(model: Model, partitions: number, commits: number): string[] {
  const { layout } = model;
  const faults: string[] = [];
  if (layout === null || partitionsOf(layout) !== partitions)
    faults.push(`ends at ${JSON.stringify(layout)}`);
  const found = model.log.filter(({ state, barrier }) => state === 'committed' && !barrier);
  const what = new Set(found.map((each) => each.what));
  if (found.length !== commits || what.size !== commits) faults.push(`${found.length} commits of ${commits}`);
  return faults;
}
