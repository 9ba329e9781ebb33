// The files of the soak: a section that was stopped, so that the same command goes on after its last judged
// round, and every result there was, one line each. They belong to the repository: another machine goes on
// where one stopped, and the commits that rounds were played on are told with the result.

import { appendFileSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Result } from './soak-report.ts';
import { Tally } from './tally.ts';

export const SOAK_DIR = join(import.meta.dir, 'kept');

/** What a kept run must have been asked for to be gone on with. */
export interface Asked {
  readonly section: string;
  readonly count: number | null;
}

interface Kept extends Asked {
  readonly seed: number;
  /** Of the rounds that were judged. */
  readonly commits: readonly string[];
  readonly tally: Pick<Tally, 'rounds' | 'ticks' | 'millis' | 'failed' | 'reached' | 'told'>;
}

export class KeptSoak {
  readonly tally = new Tally();
  readonly seed: number;
  /** Of the rounds that were judged, in their order. */
  readonly commits = new Set<string>();
  readonly #file: string;

  /** `seed`: a kept run of another one is not gone on with; null: of any. */
  constructor(
    dir: string,
    readonly asked: Asked,
    seed: number | null,
  ) {
    const { section, count } = asked;
    this.#file = join(dir, `${count === null ? section : `${section}-${count}`}.json`);
    const kept = keptIn(this.#file);
    const goesOn = kept !== null && (seed === null || seed === kept.seed);
    this.seed = goesOn ? kept.seed : (seed ?? crypto.getRandomValues(new Uint32Array(1))[0] ?? 1);
    if (!goesOn) return;
    const { failed, reached, told, ...counts } = kept.tally;
    for (const commit of kept.commits) this.commits.add(commit);
    Object.assign(this.tally, counts);
    this.tally.failed.push(...failed);
    Object.assign(this.tally.reached, reached);
    Object.assign(this.tally.told, told);
  }

  /** After a round on this commit. All or nothing: who is killed meanwhile leaves the file as it was. */
  save(commit: string): void {
    this.commits.add(commit);
    const { rounds, ticks, millis, failed, reached, told } = this.tally;
    const kept: Kept = {
      ...this.asked,
      seed: this.seed,
      commits: [...this.commits],
      tally: { rounds, ticks, millis, failed, reached, told },
    };
    mkdirSync(dirname(this.#file), { recursive: true });
    writeFileSync(`${this.#file}.new`, `${JSON.stringify(kept)}\n`);
    renameSync(`${this.#file}.new`, this.#file);
  }

  /** It has come to its end: the same command begins anew. */
  forget(): void {
    rmSync(this.#file, { force: true });
  }
}

export function appendResult(dir: string, result: Result): void {
  mkdirSync(dir, { recursive: true });
  appendFileSync(join(dir, 'results.jsonl'), `${JSON.stringify(result)}\n`);
}

function keptIn(file: string): Kept | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return null;
  }
}
