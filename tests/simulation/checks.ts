// What must hold of a run of the whole pipeline, judged from what stands in the log and in ClickHouse at the
// end, and written without the code under test: the oracle reads the operators' text again and folds it by
// hand, the rest counts and compares. Each law that does not hold is a sentence.

import { TOPIC } from '../../runtime/services.ts';
import type { OracleBar } from '../oracle/bars.ts';
import type { OraclePoint } from '../oracle/curves.ts';
import type { OracleMetric } from '../oracle/metrics.ts';
import { observe } from '../oracle/observe.ts';
import { type Priced, readText } from '../oracle/read.ts';
import { utc } from '../oracle/wall-clock.ts';
import { barDifferences, curveDifferences, metricDifferences } from '../support/against-oracle.ts';
import { boundsBroken } from './bounded.ts';
import { conserved } from './conserved.ts';
import { strayed } from './dwelling.ts';
import { explained } from './explained.ts';
import { mixedLooks } from './looks.ts';
import type { Row } from './simulated-clickhouse.ts';
import type { Simulation } from './simulation.ts';
import { rawRows, rowsOn, stored } from './stored-records.ts';

const decoder = new TextDecoder();

/** Every law that does not hold, in words. */
export async function brokenLaws(run: Simulation): Promise<string[]> {
  const during = run.broken.map(({ step, what }) => `step ${step}: ${what}`);
  if (during.some((each) => each.includes('not caught up'))) return during;
  return [
    ...during,
    ...(await gold(run)),
    ...conserved(run),
    ...order(run),
    ...versions(run),
    ...strayed(run),
    ...explained(run),
    ...boundsBroken(run),
    ...mixedLooks(run),
  ];
}

/** The operators' own text, read by the oracle. */
function priced({ plan }: Simulation): Priced[] {
  return plan.sources.rounds.flat().flatMap(({ name, bytes, takenMs }) =>
    readText(name, decoder.decode(bytes)).map((each) => ({
      ...each,
      publishedMs: each.publishedMs ?? takenMs,
    })),
  );
}

function versionKey(instrument: string, startMs: number, publishedMs: number, prices: readonly unknown[]) {
  return [instrument, startMs, publishedMs, ...prices.map(Number)].join('|');
}

/** The hash that orders versions of one instant is the product's to choose: it stands on its ticks. */
function tieOf(run: Simulation): (of: Priced) => string {
  const hashes = new Map(
    rowsOn(run, TOPIC.ticks).map((tick) => [
      versionKey(
        String(tick.instrument_id),
        Number(tick.interval_start) / 1_000,
        Number(tick.publication) / 1_000,
        [tick.price, tick.congestion_price],
      ),
      String(tick.version_hash),
    ]),
  );
  return ({ market, run: of, location, startMs, publishedMs, values }) => {
    const price = (name: string) => new RegExp(`${name}=([^,]*)`).exec(values)?.[1];
    const prices = [price('LMP'), price('MCC')];
    return hashes.get(versionKey(`${market}:${of}:${location}`, startMs, publishedMs ?? 0, prices)) ?? '';
  };
}

async function* shaped<Shape>(rows: Iterable<Row>, times: readonly string[]): AsyncIterable<Shape> {
  for (const row of rows) {
    const at = Object.fromEntries(times.map((name) => [name, utc(Number(row[name]) / 1_000)]));
    // By way of JSON, as any reader of an answer gets it.
    const shape: Shape = JSON.parse(JSON.stringify({ ...row, ...at }));
    yield shape;
  }
}

async function gold(run: Simulation): Promise<string[]> {
  const observed = observe(priced(run), tieOf(run));
  const rows = (topic: string): Row[] => [...run.clickhouse.table(topic).values()];
  const place = (row: Row): string => `${row.market}|${row.run}|${row.delivery_location}`;
  const metrics = rows(TOPIC.metrics).sort((a, b) => (place(a) < place(b) ? -1 : 1));
  const [bars, points, { differences }] = [
    await barDifferences(shaped<OracleBar>(rows(TOPIC.bars), ['bar_start', 'bar_end']), observed),
    await curveDifferences(shaped<OraclePoint>(rows(TOPIC.curves), ['hour_start']), observed),
    await metricDifferences(shaped<OracleMetric>(metrics, ['hour_end']), observed),
  ];
  return [
    ...bars.map((each) => `bar ${each}`),
    ...points.map((each) => `curve ${each}`),
    ...differences.map((each) => `metric ${each}`),
  ];
}

/** Each instrument's records in one order on every topic, none lost and none doubled. */
function order(run: Simulation): string[] {
  const raw = rawRows(run);
  const ticks = rowsOn(run, TOPIC.ticks);
  const ids = (rows: readonly Row[], id: string, by: (row: Row) => string): Record<string, string[]> => {
    const groups = [...Map.groupBy(rows, by)].sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(groups.map(([key, of]) => [key, of.map((row) => String(row[id]))]));
  };
  const named = ({ market, run: of, delivery_location: at }: Row): string => `${market}:${of}:${at}`;
  const instrument = (row: Row): string => String(row.instrument_id);
  const traces = ids(ticks, 'trace_id', instrument);
  return [
    ...unlike('raw and ticks', ids(raw, 'trace_id', named), traces),
    ...unlike('ticks and enriched', traces, ids(rowsOn(run, TOPIC.enriched), 'trace_id', instrument)),
    ...unlike(
      'ticks and scores',
      ids(ticks, 'event_id', instrument),
      ids(rowsOn(run, TOPIC.scores), 'tick_id', instrument),
    ),
  ];
}

function unlike(what: string, a: Record<string, string[]>, b: Record<string, string[]>): string[] {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].flatMap((key) => {
    const [left, right] = [a[key] ?? [], b[key] ?? []];
    if (left.join() === right.join()) return [];
    const at = left.findIndex((each, n) => each !== right[n]);
    return [`${what} of ${key} differ: ${left.length} and ${right.length}, first at ${at}`];
  });
}

/** Each record of a bar is newer than the one before it; rebuilt instruments are left to their table. */
function versions(run: Simulation): string[] {
  const rebuilt = new Set(Array.from(stored(run, TOPIC.rebuild), ({ key }) => key));
  const last = new Map<string, number>();
  const problems: string[] = [];
  for (const { key, place, text } of stored(run, TOPIC.bars)) {
    if (rebuilt.has(key)) continue;
    const { payload }: { payload: Row } = JSON.parse(text);
    const bar = `${key} ${payload.bar_size} ${payload.bar_start}`;
    const [before, now] = [last.get(bar) ?? -1, Number(payload.row_version)];
    if (now <= before) problems.push(`${place}: ${bar} has version ${now} after ${before}`);
    last.set(bar, now);
  }
  return problems;
}
