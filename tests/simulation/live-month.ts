// What the simulated months share: the faults that a request may meet, what stands on the raw topics, what a
// connector lists as missing, and the judgement of an interval against the operator's own book: on the log
// once in each version, the last one in gold; or listed by name; and never both.

import { expect } from 'bun:test';
import { completenessView } from '../../runtime/live/completeness-view.ts';
import { FetchFault, type FetchFaultCode } from '../../runtime/live/fetch-fault.ts';
import type { ConnectorPlan } from '../../runtime/live/settings.ts';
import type { Answer, Version } from '../support/operators/oasis.ts';
import { zipOf } from '../support/zips.ts';
import { pricedOn } from './live-gold.ts';
import type { SimulatedStore } from './simulated-store.ts';

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

/** A number that follows from its words alone. */
export const drawn = (...words: readonly (string | number)[]): number => Bun.hash.xxHash32(words.join('|'));

const BOMB = zipOf({ 'a.csv': new Uint8Array(20_000_000) });
/** What becomes of a right answer; the answer itself: nothing, this time. */
export type Fault = (whole: Answer, url: URL, nowMs: number) => Answer | FetchFault;

const fault = (code: FetchFaultCode, message: string) => () => new FetchFault(message, code);

/** What any server may do, and what stands between. */
export const FAULTS: Readonly<Record<string, Fault>> = {
  truncated: (whole) => ({ ...whole, body: whole.body.subarray(0, Math.floor(whole.body.length / 2)) }),
  bomb: (whole) => ({ ...whole, body: BOMB }),
  wrongType: () => ({
    status: 200,
    headers: { 'content-type': 'text/html' },
    body: new TextEncoder().encode('<html>'),
  }),
  reset: fault('network', 'the connection was reset in the middle of the body'),
  drip: fault('timeout', 'no whole answer in 120000 ms'),
  tooLarge: fault('too_large', 'the answer is larger than the bound'),
  certificate: fault('certificate', 'the certificate is refused: it has expired'),
  redirectPrivate: fault('refused_address', 'it redirects to 10.0.0.1, which is no public address'),
  redirectHost: fault('refused_host', 'it redirects to a host that is not on the list'),
  unavailable: () => ({ status: 503, headers: { 'retry-after': '60' }, body: new Uint8Array() }),
};

/** One answer in six meets one of these; how often each did is counted. */
export class Disturbance {
  readonly #draw: () => number;
  readonly #faults: readonly (readonly [string, Fault])[];
  readonly #met: Map<string, number>;

  constructor(draw: () => number, faults: Readonly<Record<string, Fault>>) {
    this.#draw = draw;
    this.#faults = Object.entries(faults);
    this.#met = new Map(this.#faults.map(([name]) => [name, 0]));
  }

  get met(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#met);
  }

  /** Those of which nothing was seen. */
  get unmet(): readonly string[] {
    return [...this.#met].filter(([, times]) => times === 0).map(([name]) => name);
  }

  of(whole: Answer, url: URL, nowMs: number): Answer | FetchFault {
    if (this.#draw() > 1 / 6) return whole;
    const drawn = this.#faults[Math.floor(this.#draw() * this.#faults.length)];
    if (drawn === undefined) return whole;
    const [name, make] = drawn;
    const answer = make(whole, url, nowMs);
    if (answer !== whole) this.#met.set(name, (this.#met.get(name) ?? 0) + 1);
    return answer;
  }
}

/** As connectors.yaml would have it. */
export const PLAN: Omit<ConnectorPlan, 'name' | 'market' | 'bases' | 'origins' | 'feeds'> = {
  description: '',
  enabled: true,
  privateAddresses: false,
  requestIntervalMs: 5_000,
  timeoutMs: 120_000,
  bytesMax: 1e9,
  retry: { initialMs: 60_000, maxMs: HOUR, jitter: 0.2 },
  historyDays: 400,
  breaker: { threshold: 5, pauseMs: 60_000, pauseMsMax: 600_000 },
};

export interface OnLog {
  readonly versions: { readonly publishedMs: number; readonly cents: number }[];
}

/** By run, node and start. */
export function onLog(store: SimulatedStore, market: string): Map<string, OnLog> {
  const found = new Map<string, OnLog>();
  for (const { run, location, startMs, publishedMs, price } of pricedOn(store, market)) {
    const key = `${run}|${location}|${startMs}`;
    const at = found.get(key) ?? { versions: [] };
    found.set(key, at);
    at.versions.push({ publishedMs: publishedMs ?? 0, cents: Math.round(Number(price) * 100) });
  }
  return found;
}

type Following = Parameters<typeof completenessView>[0];

/** Intervals that the product lists as missing on a day: `run|location|start ms`. */
export function listed(
  of: Following,
  market: string,
  date: string,
  nowMs: number,
  minutesOf: (run: string) => number,
): ReadonlySet<string> {
  const view = completenessView(of, market, date, nowMs);
  const found = new Set<string>();
  const runs = Array.isArray(view?.runs) ? view.runs : [];
  for (const { run, gaps } of runs) {
    const step = minutesOf(run) * 60_000;
    for (const gap of gaps) {
      for (let at = Date.parse(gap.from); at < Date.parse(gap.to); at += step)
        found.add(`${run}|${gap.location}|${at}`);
    }
  }
  return found;
}

export interface Totals {
  present: number;
  listed: number;
  corrected: number;
}

export interface Interval {
  readonly run: string;
  readonly node: string;
  readonly startMs: number;
  /** What the operator ever said of it that could be fetched. */
  readonly said: readonly Version[];
  /** The calendar wants it. */
  readonly wanted: boolean;
}

/** Present once in each version, the last in gold, or listed. */
export function judge(
  { run, node, startMs, said, wanted }: Interval,
  log: ReadonlyMap<string, OnLog>,
  missing: ReadonlySet<string>,
  gold: ReadonlyMap<string, number>,
  totals: Totals,
): void {
  const key = `${run}|${node}|${startMs}`;
  const found = log.get(key)?.versions ?? [];
  const where = `${run} ${node} ${new Date(startMs).toISOString()}`;
  expect([where, found.length > 0, missing.has(key)]).toEqual([
    where,
    said.length > 0,
    wanted && said.length === 0,
  ]);
  const cents = found.map((each) => each.cents);
  expect(new Set(cents).size).toBe(cents.length);
  const last = [...found].sort((a, b) => a.publishedMs - b.publishedMs).at(-1);
  expect([where, last?.cents, gold.get(key)]).toEqual([where, said.at(-1)?.cents, said.at(-1)?.cents]);
  if (missing.has(key)) totals.listed += 1;
  if (found.length > 0) totals.present += 1;
  if (found.length > 1) totals.corrected += 1;
}
