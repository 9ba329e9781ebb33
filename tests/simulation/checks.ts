// What must hold of a run of the whole pipeline, judged from what stands in the log and in ClickHouse at the
// end, and written without the code under test: the oracle reads the operators' text again and folds it by
// hand, the rest counts and compares. Each law that does not hold is a sentence.

import { unsealJson } from '../../actors/domain/sealed.ts';
import { DEAD_LETTERS_RAW, DEAD_LETTERS_TICKS, rawTopic, TOPIC } from '../../runtime/services.ts';
import type { OracleBar } from '../oracle/bars.ts';
import type { OraclePoint } from '../oracle/curves.ts';
import type { OracleMetric } from '../oracle/metrics.ts';
import { observe } from '../oracle/observe.ts';
import { type Priced, readText } from '../oracle/read.ts';
import { utc } from '../oracle/wall-clock.ts';
import { barDifferences, curveDifferences, metricDifferences } from '../support/against-oracle.ts';
import { explained } from './explained.ts';
import type { Row } from './simulated-clickhouse.ts';
import type { Simulation } from './simulation.ts';

const MARKETS = ['CAISO', 'MISO'] as const;
const decoder = new TextDecoder();

interface Found {
  readonly key: string;
  readonly place: string;
  readonly text: string;
}

/** Records of a topic, without calendars and barriers. */
function* stored({ store }: Simulation, topic: string): Iterable<Found> {
  for (let partition = 0; partition < store.spec(topic).partitions; partition += 1) {
    for (const [offset, entry] of store.entries({ topic, partition }).entries()) {
      if (entry === null || entry.key.startsWith('~')) continue;
      yield { key: entry.key, place: `${topic}/${partition}/${offset}`, text: decoder.decode(entry.value) };
    }
  }
}

function rowsOn(run: Simulation, topic: string): Row[] {
  return Array.from(stored(run, topic), ({ text }): Row => JSON.parse(text));
}

/** Every law that does not hold, in words. */
export async function brokenLaws(run: Simulation): Promise<string[]> {
  const during = run.broken.map(({ step, what }) => `step ${step}: ${what}`);
  if (during.some((each) => each.includes('not caught up'))) return during;
  return [
    ...during,
    ...(await gold(run)),
    ...counts(run),
    ...order(run),
    ...versions(run),
    ...explained(run),
    ...bounds(run),
  ];
}

function same(what: string, found: unknown, wanted: unknown): string[] {
  const [is, should] = [JSON.stringify(found), JSON.stringify(wanted)];
  return is === should ? [] : [`${what}: is ${is}, should be ${should}`];
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

type Ledger = Readonly<Record<string, number>>;

/** What a group's stored ledgers say of a topic, by market. */
function ledgers({ store }: Simulation, group: string, topic: string): Map<string, Ledger> {
  const sum = new Map<string, Record<string, number>>();
  for (let partition = 0; partition < store.spec(topic).partitions; partition += 1) {
    const bytes = store.state(`${group} ${topic}/${partition}`).get('r:ledger');
    if (bytes === undefined) continue;
    const found: Record<string, Ledger> = Object(unsealJson(bytes, [1]));
    for (const [market, ledger] of Object.entries(found)) {
      const held = sum.get(market) ?? {};
      for (const [name, count] of Object.entries(ledger)) {
        if (typeof count === 'number') held[name] = (held[name] ?? 0) + count;
      }
      sum.set(market, held);
    }
  }
  return sum;
}

/** Conservation, by stage and market: what was published, what is on each topic, what ledgers say. */
function counts(run: Simulation): string[] {
  const { published, poison } = run.plan.sources;
  const problems: string[] = [];
  for (const market of MARKETS) {
    const fed = published.filter((each) => each.market === market).length;
    const odd = poison.filter((each) => each.market === market).length;
    const on = (topic: string): number =>
      [...stored(run, topic)].filter(({ key }) => key.startsWith(`${market}:`)).length;
    problems.push(
      ...same(`raw records of ${market}`, [...stored(run, rawTopic(market))].length, fed + odd),
      ...same(`ticks of ${market}`, on(TOPIC.ticks), fed),
      ...same(`enriched ticks of ${market}`, on(TOPIC.enriched), fed),
      ...same(`scores of ${market}`, on(TOPIC.scores), fed),
      ...judged(run, 'normalization-service', rawTopic(market), market, fed + odd, odd),
      ...judged(run, 'enrichment-service', TOPIC.ticks, market, fed, 0),
      ...judged(run, 'data-quality-service', TOPIC.ticks, market, fed, 0),
      ...judged(run, 'aggregation-service', TOPIC.enriched, market, fed, 0),
      ...judged(run, 'projection-service', rawTopic(market), market, fed + odd, 0),
    );
    for (const topic of [TOPIC.ticks, TOPIC.enriched, TOPIC.bars, TOPIC.metrics, TOPIC.curves])
      problems.push(...judged(run, 'projection-service', topic, market, on(topic), 0));
  }
  const refused = rowsOn(run, DEAD_LETTERS_RAW).map(({ original_bytes: bytes }) => Number(bytes));
  return [
    ...problems,
    ...same('sizes of dead letters', refused.sort(), poison.map(({ bytes }) => bytes.length).sort()),
    ...same('dead letters behind normalization', rowsOn(run, DEAD_LETTERS_TICKS), []),
  ];
}

const DISPOSITIONS = ['first', 'revision', 'duplicate', 'rejected', 'forwarded'] as const;

function judged(
  run: Simulation,
  group: string,
  topic: string,
  market: string,
  wanted: number,
  refused: number,
): string[] {
  const ledger = ledgers(run, group, topic).get(market) ?? {};
  const of = (name: string): number => ledger[name] ?? 0;
  const disposed = DISPOSITIONS.reduce((sum, name) => sum + of(name), 0);
  const found = { read: of('read'), disposed, rejected: of('rejected'), parked: of('parked') };
  return same(`ledger of ${group} for ${market} on ${topic}`, found, {
    read: wanted,
    disposed: wanted,
    rejected: refused,
    parked: 0,
  });
}

/** Each instrument's records in one order on every topic, none lost and none doubled. */
function order(run: Simulation): string[] {
  const raw = MARKETS.flatMap((market) =>
    [...stored(run, rawTopic(market))]
      .filter(({ key }) => !key.startsWith('poison-'))
      .map(({ text }): Row => JSON.parse(text)),
  );
  const ticks = rowsOn(run, TOPIC.ticks);
  const ids = (rows: readonly Row[], id: string, by: (row: Row) => string): Record<string, string[]> => {
    const out: Record<string, string[]> = {};
    for (const row of rows) {
      const key = by(row);
      out[key] = [...(out[key] ?? []), String(row[id])];
    }
    return Object.fromEntries(Object.entries(out).sort(([a], [b]) => (a < b ? -1 : 1)));
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

/** Mailboxes hold at most an answer and an order of each instrument and router; parkings what they may. */
function bounds({ members, parkedMost, plan, told, store }: Simulation): string[] {
  const instruments = new Set(plan.sources.published.map(({ run, node }) => `${run} ${node}`)).size;
  const partitions = Math.max(...[...store.topics.values()].map((each) => each.partitions));
  const mailbox = 16 + 8 * partitions + 3 * instruments;
  const full = members.filter(({ mailboxMost }) => mailboxMost > mailbox);
  const parked = plan.policy.parkedMax + plan.policy.batchRecordsMax;
  return [
    ...full.map(({ id, mailboxMost }) => `member ${id}: ${mailboxMost} messages waited, bound ${mailbox}`),
    ...(parkedMost <= parked ? [] : [`${parkedMost} records were parked, bound ${parked}`]),
    ...(parkedMost === 0 || told.some(({ kind }) => kind === 'quarantine')
      ? []
      : ['records were parked and no event says why']),
  ];
}
