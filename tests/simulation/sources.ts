// Sources of the simulated market: observations drawn from a seed, and the operators' own text of them, so
// that the feeds that parse it are part of the run. CAISO answers in CSV, MISO in JSON. The text is all that
// the checkers' oracle reads.

import type { Response } from '../../actors/feeds/feed.ts';
import type { Draw } from '../../runtime/host.ts';
import { type OasisReport, oasisCsv, REPORTS } from '../support/oasis.ts';
import type { Faults } from './faults.ts';

/** One version of an observation, as its operator publishes it. */
export interface Published {
  readonly id: number;
  readonly market: 'CAISO' | 'MISO';
  readonly run: string;
  readonly node: string;
  readonly startMs: number;
  readonly minutes: number;
  readonly values: Readonly<Record<string, string>>;
  readonly publishedMs: number;
  /** Responses of a round are fed when those of the round before are in and their calendar is closed. */
  readonly round: number;
}

/** Bytes that some other producer puts on a raw topic. */
export interface Poison {
  readonly id: number;
  readonly market: 'CAISO' | 'MISO';
  readonly bytes: Uint8Array;
}

export interface Sources {
  readonly published: readonly Published[];
  readonly poison: readonly Poison[];
  /** By round. */
  readonly rounds: readonly (readonly Response[])[];
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const ORDINARY = Date.UTC(2023, 5, 1, 7);
/** An hour before midnight in California, ahead of a day without an hour and of one that repeats it. */
const ODD_DAYS = [Date.UTC(2023, 2, 12, 7), Date.UTC(2023, 10, 5, 6)];
const PUBLISHED = Date.UTC(2023, 11, 20, 18);

interface Line {
  readonly market: 'CAISO' | 'MISO';
  readonly run: string;
  readonly minutes: number;
  readonly node: string;
}

const RUNS = [
  { market: 'CAISO', run: 'DAM', minutes: 60 },
  { market: 'CAISO', run: 'RTPD', minutes: 15 },
  { market: 'CAISO', run: 'RTM', minutes: 5 },
  { market: 'MISO', run: 'RT5_EXPOST', minutes: 5 },
] as const;

class Sampler {
  constructor(
    readonly draw: Draw,
    readonly faults: Faults,
  ) {}

  below(limit: number): number {
    return Math.floor(this.draw() * limit);
  }

  chance(share: number): boolean {
    return this.draw() < share;
  }

  /** Weight of a fault, scaled; 0 when it is off. */
  share(fault: Parameters<Faults['get']>[0], most: number): number {
    return (this.faults.get(fault) ?? 0) * most;
  }

  price(): string {
    const whole = this.below(400) - 60;
    const text = `${whole}.${String(this.below(100_000)).padStart(5, '0')}`;
    return this.chance(0.1) ? String(whole) : text;
  }

  values(market: string): Record<string, string> {
    const [LMP, MCC] = [this.price(), this.price()];
    return market === 'MISO' ? { LMP, MLC: '0.25', MCC } : { LMP, MCC };
  }
}

/** `count` versions at most; `keep` leaves out those with other ids, for shrinking. */
export function drawnSources(
  draw: Draw,
  faults: Faults,
  count: number,
  keep: ReadonlySet<number> | null,
): Sources {
  const sampler = new Sampler(draw, faults);
  const all = versions(sampler, count);
  const poisoned = poisonOf(sampler, count);
  const kept = <T extends { readonly id: number }>(of: readonly T[]): T[] =>
    of.filter(({ id }) => keep === null || keep.has(id));
  const published = kept(all);
  return { published, poison: kept(poisoned), rounds: roundsOf(sampler, published) };
}

function versions(sampler: Sampler, count: number): Published[] {
  const lines = Array.from({ length: 1 + sampler.below(8) }, (_, n): Line => {
    const run = RUNS[sampler.below(RUNS.length)] ?? RUNS[0];
    return { ...run, node: `N${n}.HUB` };
  });
  const dayMs = sampler.chance(sampler.share('dst', 1))
    ? (ODD_DAYS[sampler.below(ODD_DAYS.length)] ?? ORDINARY)
    : ORDINARY;
  const out: Published[] = [];
  for (let step = 0; out.length < count; step += 1) {
    for (const line of lines) {
      if (sampler.chance(sampler.share('holes', 0.4))) continue;
      const startMs = dayMs + step * line.minutes * 60_000;
      out.push(...versionsOf(sampler, line, startMs, out.length));
    }
  }
  return out.slice(0, count);
}

function versionsOf(sampler: Sampler, line: Line, startMs: number, id: number): Published[] {
  const first = { ...line, startMs, values: sampler.values(line.market), round: roundOf(sampler) };
  const said: Published[] = [{ ...first, id, publishedMs: PUBLISHED + sampler.below(3) * HOUR }];
  const add = (of: Partial<Published>): void => {
    const last = said[said.length - 1];
    if (last !== undefined) said.push({ ...last, ...of, id: id + said.length, round: roundOf(sampler) });
  };
  while (said.length < 5 && sampler.chance(sampler.share('revisions', 0.4))) {
    add({ values: sampler.values(line.market), publishedMs: PUBLISHED + sampler.below(9) * HOUR });
  }
  if (sampler.chance(sampler.share('ties', 0.2))) add({ values: sampler.values(line.market) });
  if (sampler.chance(sampler.share('duplicates', 0.3))) add({});
  const old = said[0];
  if (old !== undefined && sampler.chance(sampler.share('long-past', 0.02))) {
    add({
      startMs: old.startMs - (3 + sampler.below(8)) * DAY,
      round: 1,
      values: sampler.values(line.market),
    });
  }
  return said;
}

function roundOf(sampler: Sampler): number {
  return sampler.chance(sampler.share('late', 0.2)) ? 1 : 0;
}

function roundsOf(sampler: Sampler, published: readonly Published[]): Response[][] {
  const groups = new Map<string, Published[]>();
  for (const each of published) {
    const key = `${each.round}|${each.market}|${each.market === 'MISO' ? '' : each.run}|${each.publishedMs}`;
    const found = groups.get(key);
    if (found === undefined) groups.set(key, [each]);
    else found.push(each);
  }
  const rounds: Response[][] = [[], []];
  let n = 0;
  for (const group of groups.values()) {
    for (const part of parts(sampler, group)) {
      n += 1;
      rounds[part[0]?.round ?? 0]?.push(responseOf(part, n));
    }
  }
  const reordered = sampler.chance(sampler.share('reordering', 1));
  return rounds.map((round) => (reordered ? shuffled(sampler, round) : byTime(round)));
}

/** No two versions of one observation stand in one response. */
function parts(sampler: Sampler, group: readonly Published[]): Published[][] {
  const out: Published[][] = [];
  const most = 5 + sampler.below(60);
  const has = (part: readonly Published[], { run, node, startMs }: Published): boolean =>
    part.some((each) => each.run === run && each.node === node && each.startMs === startMs);
  for (const each of group) {
    const open = out.find((part) => part.length < most && !has(part, each));
    if (open === undefined) out.push([each]);
    else open.push(each);
  }
  return out;
}

/** Names begin with the first interval of what they hold. */
function byTime(round: readonly Response[]): Response[] {
  return [...round].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function shuffled<T>(sampler: Sampler, of: readonly T[]): T[] {
  const out = [...of];
  for (let at = out.length - 1; at > 0; at -= 1) {
    const other = sampler.below(at + 1);
    const [a, b] = [out[at], out[other]];
    if (a !== undefined && b !== undefined) [out[at], out[other]] = [b, a];
  }
  return out;
}

const encoder = new TextEncoder();

function responseOf(part: readonly Published[], n: number): Response {
  const [first] = part;
  if (first === undefined) throw new Error('an empty response');
  const takenMs = first.publishedMs;
  const head = `${first.startMs}_${n}`;
  const text = first.market === 'MISO' ? misoText(part) : caisoText(part);
  const name = first.market === 'MISO' ? `${head}_miso.json` : `${head}_${stamp(takenMs)}_v1.csv`;
  return { name, bytes: encoder.encode(text), takenMs, tenantId: 't' };
}

/** Pacific wall clock in winter, as CAISO names its files. */
function stamp(ms: number): string {
  const wall = new Date(ms - 8 * HOUR).toISOString();
  return wall.slice(0, 19).replaceAll('-', '').replace('T', '_').replaceAll(':', '_');
}

function caisoText(part: readonly Published[]): string {
  const report = REPORTS.find(({ run }) => run === part[0]?.run);
  const plain: OasisReport = report ?? { query: 'PRC_LMP', run: 'DAM', priceColumn: 'MW' };
  const rows = part.flatMap(({ node, startMs, minutes, values }) =>
    Object.entries(values).map(([component, text]) => ({ node, startMs, minutes, component, text })),
  );
  return oasisCsv(plain, rows);
}

const EST_MS = 5 * HOUR;

function misoText(part: readonly Published[]): string {
  const data = part.map(({ node, startMs, minutes, values }) => {
    const end = new Date(startMs + minutes * 60_000 - EST_MS).toISOString().slice(0, 19);
    return [end, node, values.LMP, values.MLC, values.MCC];
  });
  return JSON.stringify({ headers: ['INTERVAL', 'CPNODE', 'LMP', 'MLC', 'MCC'], data });
}

const BODIES = [
  'not json',
  '{}',
  '[]',
  'null',
  '{"data_type":"lmp","market":"CAISO"}',
  '{"data_type":"lmp","values":{"LMP":"NaN"}}',
  `{"deep":${'['.repeat(200)}${']'.repeat(200)}}`,
  '\u0000\u0001',
] as const;

function poisonOf(sampler: Sampler, count: number): Poison[] {
  const share = sampler.share('poison', 0.05);
  const out: Poison[] = [];
  for (let n = 0; n < count; n += 1) {
    if (!sampler.chance(share)) continue;
    const market = sampler.chance(0.5) ? ('CAISO' as const) : ('MISO' as const);
    const body = BODIES[sampler.below(BODIES.length)] ?? '';
    // Told apart by their length alone.
    const bytes = encoder.encode(`${body}${' '.repeat(out.length)}`);
    out.push({ id: 1_000_000 + out.length, market, bytes });
  }
  return out;
}
