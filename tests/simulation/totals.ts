// What many seeds add up to, and the file in which a long run keeps it: written after every so many seeds and
// when it is stopped, so that the same command goes on where it was.

import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Judged } from './judge.ts';

export interface Failed {
  readonly seed: number;
  readonly step: number;
  readonly broken: readonly string[];
}

export interface Summary {
  readonly seeds: number;
  readonly failures: number;
  readonly records: number;
  readonly simulated_hours: number;
  readonly seeds_per_minute: number;
  readonly faults: Readonly<Record<string, number>>;
}

const SHOWN = 10;

export class Totals {
  seeds = 0;
  simulatedMs = 0;
  records = 0;
  /** Time that runs took, over all lives of a long run. */
  millis = 0;
  readonly failed: Failed[] = [];
  readonly injected = new Map<string, number>();

  add({ wish, step, broken, simulatedMs, records, injected }: Judged, millis: number): void {
    this.seeds += 1;
    if (broken.length > 0) this.failed.push({ seed: wish.seed, step, broken: broken.slice(0, SHOWN) });
    this.simulatedMs += simulatedMs;
    this.records += records;
    this.millis += millis;
    for (const [fault, count] of injected) this.injected.set(fault, (this.injected.get(fault) ?? 0) + count);
  }

  get summary(): Summary {
    return {
      seeds: this.seeds,
      failures: this.failed.length,
      records: this.records,
      simulated_hours: Number((this.simulatedMs / 3_600_000).toFixed(2)),
      seeds_per_minute: Number(((this.seeds * 60_000) / Math.max(1, this.millis)).toFixed(1)),
      faults: Object.fromEntries([...this.injected].sort(([a], [b]) => (a < b ? -1 : 1))),
    };
  }
}

/** What a kept run must have been asked for to be gone on with. */
export interface Asked {
  readonly commit: string;
  readonly seeds: number;
  readonly records: number;
  readonly faults: readonly string[] | null;
}

interface Kept extends Asked {
  readonly first: number;
  readonly totals: Pick<Totals, 'seeds' | 'simulatedMs' | 'records' | 'millis' | 'failed'>;
  readonly injected: Readonly<Record<string, number>>;
}

/** A run that can be stopped and gone on with. */
export class KeptRun {
  readonly totals = new Totals();
  readonly #asked: Asked;

  /** `first`: the seed to begin with, unless there is a run to go on with. */
  constructor(
    readonly file: string,
    asked: Asked,
    public first: number,
  ) {
    this.#asked = asked;
    const kept = keptIn(file);
    const { commit, seeds, records, faults } = kept ?? {};
    if (kept === null || JSON.stringify({ commit, seeds, records, faults }) !== JSON.stringify(asked)) return;
    this.first = kept.first;
    const { failed, ...counts } = kept.totals;
    Object.assign(this.totals, counts);
    this.totals.failed.push(...failed);
    for (const [fault, count] of Object.entries(kept.injected)) this.totals.injected.set(fault, count);
  }

  /** All or nothing: a run that is killed meanwhile finds the file as it was. */
  save(): void {
    const { seeds, simulatedMs, records, millis, failed, injected } = this.totals;
    const totals = { seeds, simulatedMs, records, millis, failed };
    const { first } = this;
    const kept: Kept = { ...this.#asked, first, totals, injected: Object.fromEntries(injected) };
    mkdirSync(dirname(this.file), { recursive: true });
    writeFileSync(`${this.file}.new`, `${JSON.stringify(kept)}\n`);
    renameSync(`${this.file}.new`, this.file);
  }

  /** It has come to its end: the same command begins anew. */
  forget(): void {
    rmSync(this.file, { force: true });
  }
}

function keptIn(file: string): Kept | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return null;
  }
}
