// Gold against the oracle, whoever wrote gold: every row that the oracle expects stands there with equal
// values, and no other. Differences come back as sentences, the first few of them.

import { barKey, type OracleBar, oracleBars } from '../oracle/bars.ts';
import { type OraclePoint, oracleCurves, pointKey } from '../oracle/curves.ts';
import { groupBy } from '../oracle/group.ts';
import { metricKey, type OracleMetric, oracleMetrics } from '../oracle/metrics.ts';
import type { Observed } from '../oracle/observe.ts';

const SHOWN = 10;

class Differences {
  readonly #shown: string[] = [];
  #count = 0;

  add(text: string): void {
    this.#count += 1;
    if (this.#shown.length < SHOWN) this.#shown.push(text);
  }

  get list(): string[] {
    const rest = this.#count - this.#shown.length;
    return rest > 0 ? [...this.#shown, `… and ${rest} more`] : this.#shown;
  }
}

function compare<Row extends object>(
  key: string,
  found: Row,
  wanted: Row | undefined,
  differences: Differences,
): void {
  if (wanted === undefined) return differences.add(`${key}: not expected`);
  for (const [column, value] of Object.entries(wanted)) {
    const actual: unknown = Reflect.get(found, column);
    if (!Object.is(actual, value) && !(actual === 0 && value === 0)) {
      differences.add(`${key}: ${column} is ${String(actual)}, expected ${String(value)}`);
    }
  }
}

async function compareAll<Row extends object>(
  rows: AsyncIterable<Row>,
  wanted: ReadonlyMap<string, Row>,
  keyOf: (row: Row) => string,
): Promise<string[]> {
  const differences = new Differences();
  const seen = new Set<string>();
  for await (const row of rows) {
    const key = keyOf(row);
    if (seen.has(key)) differences.add(`${key}: twice`);
    seen.add(key);
    compare(key, row, wanted.get(key), differences);
  }
  for (const key of wanted.keys()) if (!seen.has(key)) differences.add(`${key}: missing`);
  return differences.list;
}

/** Every column exactly. */
export function barDifferences(
  rows: AsyncIterable<OracleBar>,
  instruments: readonly Observed[],
): Promise<string[]> {
  return compareAll(rows, oracleBars(instruments), barKey);
}

export function curveDifferences(
  rows: AsyncIterable<OraclePoint>,
  instruments: readonly Observed[],
): Promise<string[]> {
  return compareAll(rows, oracleCurves(instruments), pointKey);
}

/** Roots and interpolations are compared to a billionth, everything else exactly. */
const NEAR = 1e-9;

/**
 * Rows must come instrument by instrument (`ORDER BY market, run, delivery_location`): an instrument's
 * metrics are computed when its rows arrive, so that millions never stand in memory.
 */
export async function metricDifferences(
  rows: AsyncIterable<OracleMetric>,
  instruments: readonly Observed[],
): Promise<{ differences: string[]; rows: number }> {
  const differences = new Differences();
  const byId = groupBy(instruments, ({ market, run, location }) => `${market}|${run}|${location}`);
  let current = '';
  let wanted = new Map<string, OracleMetric>();
  let count = 0;
  const turn = (id: string): void => {
    for (const key of wanted.keys()) differences.add(`${key}: missing`);
    const expected = (byId.get(id) ?? []).flatMap(oracleMetrics);
    byId.delete(id);
    wanted = new Map(expected.map((each) => [metricKey(each), each]));
    current = id;
  };
  for await (const row of rows) {
    const id = `${row.market}|${row.run}|${row.delivery_location}`;
    if (id !== current) turn(id);
    const key = metricKey(row);
    const expected = wanted.get(key);
    wanted.delete(key);
    count += 1;
    const near =
      expected !== undefined &&
      Math.abs(row.metric_value - expected.metric_value) <=
        NEAR * Math.max(1, Math.abs(expected.metric_value));
    compare(key, near ? { ...row, metric_value: expected.metric_value } : row, expected, differences);
  }
  turn('');
  for (const [id, [of]] of byId) {
    if (of !== undefined && oracleMetrics(of).length > 0) differences.add(`${id}: no metrics at all`);
  }
  return { differences: differences.list, rows: count };
}
