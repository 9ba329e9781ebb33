// ClickHouse cannot be reached for as long as a part is asked for, a minute at a time, while services apart
// run and the market goes on publishing, more slowly and without waiting for anybody: projection says why it
// stands still, its offsets wait, its memory stays flat, and it goes on by itself.

import { readFileSync } from 'node:fs';
import type { Product } from '../support/product.ts';
import { Apart } from './apart.ts';
import type { Bed } from './bed.ts';
import { committedOf, written } from './sinks.ts';
import type { Tally } from './tally.ts';

const ROLES = ['normalization,enrichment,aggregation,data-quality', 'projection'] as const;
const MINUTE = 60_000;
const [STILL_LOOKS, STILL_LOOK_MS] = [5, 1_000];
/** A response in this time: what piles up must still be judged in minutes. */
const SLOW_PACE_MS = 12_000;
/** Resident memory at the end of the outage, against what it was when a quarter of it was over. */
const GROWTH_MAX = 1.25;
/** What a heap may take besides before it is collected. */
const GROWTH_MB_MAX = 64;

export async function clickhouseAway(bed: Bed, minutes: number, tally: Tally): Promise<void> {
  const { clickhouseProxy } = bed;
  const apart = await Apart.open(bed, ROLES);
  await bed.feed();
  await written(bed, 'before ClickHouse is gone');
  const products = ROLES.map((role) => apart.product(role));
  bed.pace = { everyMs: SLOW_PACE_MS, lagMax: Number.POSITIVE_INFINITY };
  clickhouseProxy.turn('refuse');
  const projection = apart.product('projection');
  await bed.met('projection says that ClickHouse is gone', () => saysSo(projection), 2);
  const stands = await stillAt(bed);
  const settled = Math.ceil(minutes / 4);
  let early: number[] = [];
  for (let minute = 1; minute <= minutes; minute += 1) {
    await Bun.sleep(MINUTE);
    if (minute === settled) early = products.map(rssMb);
    tally.happened('minutes without ClickHouse');
  }
  if (!(await saysSo(projection))) throw new Error('projection is healthy without ClickHouse');
  const moved = (await committedOf(bed)) - stands;
  if (moved !== 0) throw new Error(`projection has committed ${moved} more, and nobody wrote them`);
  for (const [n, product] of products.entries()) {
    const [from = 0, to] = [early[n], rssMb(product)];
    if (to > from * GROWTH_MAX + GROWTH_MB_MAX)
      throw new Error(`${ROLES[n]} grew from ${from} to ${to} MB in the outage`);
  }
  bed.pace = null;
  clickhouseProxy.turn('pass');
  await written(bed, 'after ClickHouse came back');
  await apart.end();
}

/** What was written before ClickHouse was gone is committed a moment after: the positions when they rest. */
async function stillAt(bed: Bed): Promise<number> {
  let [at, looks] = [-1, 0];
  await bed.met(
    'positions that rest',
    async () => {
      const found = await committedOf(bed);
      looks = found === at ? looks + 1 : 0;
      at = found;
      await Bun.sleep(STILL_LOOK_MS);
      return looks >= STILL_LOOKS;
    },
    2,
  );
  return at;
}

/** An operator who asks is told 503, and that it is ClickHouse. */
async function saysSo(projection: Product): Promise<boolean> {
  const response = await projection.get('projection', '/health');
  return response.status === 503 && /clickhouse/i.test(await response.text());
}

function rssMb({ pid }: Product): number {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kilobytes) / 1024);
}
