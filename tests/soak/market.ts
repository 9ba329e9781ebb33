// The load of the soak: responses of an operator that follow from a seed and their number alone, so that any
// process can go on with them after another was killed, and the oracle can read them again. How many of them
// are out stands in a file that the soak writes and a feeding process reads. Some intervals are published
// again within the window that stays open, and every other response carries an older stamp than the one
// before it. Two recordings of MISO come first.

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Response } from '../../actors/feeds/feed.ts';
import { type Priced, readRecording, readText } from '../oracle/read.ts';
import { DAY_AHEAD, FIFTEEN_MINUTE, type OasisReport, type OasisRow, oasisCsv } from '../support/oasis.ts';
import { randomOf } from '../support/random.ts';
import { recording, responseOf, textResponse } from '../support/recordings.ts';

const HOUR_MS = 3_600_000;
const LOOK_MS = 50;
/** Midnight of the market. */
const FROM_MS = Date.UTC(2022, 8, 1, 7);
const STAMPED_MS = Date.UTC(2023, 3, 1);
const SLICE_HOURS = 4;
/** Six slices of quarter hours, and then their day ahead. */
const TURN = 7;
const AGAIN = 0.2;
/** So many slices back at most, which is less than what stays open. */
const AGAIN_MAX = 5;
const RECORDED = ['20261001_Get', '20261002T1650'];
const QUARTER_NODES = Array.from({ length: 12 }, (_, n) => `Q${n}`);
const DAY_NODES = ['D0', 'D1', 'D2'];

/** What a feeding process reads. */
interface Out {
  readonly seed: number;
  /** Responses that are out. */
  readonly count: number;
  /** No more will come. */
  readonly ended: boolean;
}

export class Market {
  #out: Out;

  constructor(
    readonly file: string,
    seed: number,
  ) {
    this.#out = { seed, count: RECORDED.length, ended: false };
    this.#write();
  }

  get count(): number {
    return this.#out.count;
  }

  publish(): void {
    this.#out = { ...this.#out, count: this.#out.count + 1 };
    this.#write();
  }

  end(): void {
    this.#out = { ...this.#out, ended: true };
    this.#write();
  }

  /** Everything that is out, as the oracle reads it. */
  priced(): Priced[] {
    return Array.from({ length: this.count }, (_, n) => {
      const name = RECORDED[n];
      if (name !== undefined) return readRecording(recording(name));
      const { name: file, bytes } = responseAt(this.#out.seed, n);
      return readText(file, new TextDecoder().decode(bytes));
    }).flat();
  }

  /** Whole or as it was: somebody reads it meanwhile. */
  #write(): void {
    writeFileSync(`${this.file}.new`, JSON.stringify(this.#out));
    renameSync(`${this.file}.new`, this.file);
  }
}

/** What is out, and what will be, until the market has ended. */
export async function* fedFrom(file: string): AsyncIterable<Response> {
  for (let n = 0; ; ) {
    const out: Out = JSON.parse(readFileSync(file, 'utf8'));
    for (; n < out.count; n += 1) yield responseAt(out.seed, n);
    if (out.ended) return;
    await Bun.sleep(LOOK_MS);
  }
}

function responseAt(seed: number, n: number): Response {
  const name = RECORDED[n];
  if (name !== undefined) return responseOf(recording(name));
  const draw = randomOf(Number(Bun.hash.xxHash32(`${seed} ${n}`)));
  const [day, part] = [Math.floor(n / TURN), n % TURN];
  const stamp = stampOf(STAMPED_MS + (n ^ 1) * 60_000);
  if (part === TURN - 1)
    return csv(DAY_AHEAD, stamp, rows(DAY_NODES, FROM_MS + day * 24 * HOUR_MS, 24, 60, draw));
  const slice = day * (TURN - 1) + part;
  const back = draw() < AGAIN ? Math.min(slice, 1 + Math.floor(draw() * AGAIN_MAX)) : 0;
  const fromMs = FROM_MS + (slice - back) * SLICE_HOURS * HOUR_MS;
  return csv(FIFTEEN_MINUTE, stamp, rows(QUARTER_NODES, fromMs, SLICE_HOURS, 15, draw));
}

function rows(
  nodes: readonly string[],
  fromMs: number,
  hours: number,
  minutes: number,
  draw: () => number,
): OasisRow[] {
  const price = (from: number, width: number): string => (from + draw() * width).toFixed(5);
  return nodes.flatMap((node) =>
    Array.from({ length: (hours * 60) / minutes }, (_, n) => {
      const at = { node, startMs: fromMs + n * minutes * 60_000, minutes };
      return [
        { ...at, component: 'LMP', text: price(-20, 200) },
        { ...at, component: 'MCC', text: price(-5, 10) },
      ];
    }).flat(),
  );
}

/** Wall clock as it stands in an operator's file name. */
function stampOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace('T', '_').replaceAll(':', '_').replaceAll('-', '');
}

function csv(report: OasisReport, stamp: string, of: readonly OasisRow[]): Response {
  return textResponse(`${report.query}_${report.run}_${stamp}_v1.csv`, oasisCsv(report, of));
}
