// Data quality of the recorded sample as operators ask for it, over real HTTP from the real engine: every
// number equals a naive oracle over the recordings, and a restart or a second feeding changes none of them.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expectedFindings, expectedScore, type Instrument, type SeenTick } from '../oracle/quality.ts';
import { type Priced, readRecording } from '../oracle/read.ts';
import {
  copySampledData,
  type Product,
  productEnvironment,
  startProduct,
  temporaryDirectory,
} from '../support/product.ts';
import { parsePrometheus } from '../support/prometheus.ts';
import { recording } from '../support/recordings.ts';
import { until } from '../support/until.ts';

const SAMPLE = [
  '20200101_20200101_PRC_LMP_DAM',
  '13_35_13_v3.csv',
  'lmp1Day',
  '20110716_da_lmp.csv',
  'Previous.EXCERPT',
  'GetExAnteLmp.json',
];
const RANGES = { CAISO: [-150, 1_500, 2_000], MISO: [-500, 1_000, 3_500] } as const;

interface Judged {
  readonly market: string;
  readonly instrument: string;
  readonly findings: readonly string[];
  readonly score: number;
}

function seenOf({ price, startMs, values }: Priced): SeenTick {
  const fields = values.split(',').map((each) => each.split('=')[0]);
  return {
    id: `${startMs}`,
    startMs,
    price: Number(price),
    quantity: null,
    fields: fields.join(),
    arrivedMs: 0,
  };
}

function judge(): Judged[] {
  const byInstrument = new Map<string, Priced[]>();
  for (const each of SAMPLE.flatMap((part) => readRecording(recording(part)))) {
    const id = `${each.market}:${each.run}:${each.location}`;
    byInstrument.set(id, [...(byInstrument.get(id) ?? []), each]);
  }
  const judged: Judged[] = [];
  for (const [instrument, list] of byInstrument) {
    const ordered = list.sort((a, b) => a.startMs - b.startMs);
    const market = ordered[0]?.market === 'MISO' ? 'MISO' : 'CAISO';
    const stepMs = (ordered[0]?.endMs ?? 0) - (ordered[0]?.startMs ?? 0);
    const rules: Instrument = { stepMs, range: RANGES[market] };
    const seen = ordered.map(seenOf);
    for (const n of seen.keys()) {
      const findings = [...expectedFindings(seen.slice(0, n + 1), rules), ...sumOff(ordered[n])];
      judged.push({ market, instrument, findings, score: expectedScore(findings) });
    }
  }
  return judged;
}

/** LMP = energy + congestion + loss + GHG, where an operator gives all of them. */
function sumOff(of: Priced | undefined): string[] {
  const parts = new Map(
    (of?.values ?? '').split(',').map((each) => [each.split('=')[0], Number(each.split('=')[1])]),
  );
  const all = ['LMP', 'MCE', 'MCC', 'MCL', 'MGHG'].map((name) => parts.get(name) ?? Number.NaN);
  const [lmp = 0, ...others] = all;
  const off = Math.abs(lmp - others.reduce((sum, each) => sum + each, 0));
  return off > 0.001 ? ['validation_error/medium'] : [];
}

const dir = temporaryDirectory();
const expected = judge();
let product: Product;

beforeAll(async () => {
  await copySampledData(dir.path);
  product = await startProduct({ dir: dir.path });
  await product.sampleIn();
}, 400_000);

afterAll(async () => {
  await product[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
}, 60_000);

type Json = Record<string, unknown>;

const ask = (path: string): Promise<Json> => product.json('data-quality', path);

const of = (market: string | null) => expected.filter((each) => market === null || each.market === market);

function tally(
  list: readonly Judged[],
  key: (finding: string, judged: Judged) => string,
): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const judged of list) {
    for (const finding of judged.findings) {
      const name = key(finding, judged);
      counts[name] = (counts[name] ?? 0) + 1;
    }
  }
  return counts;
}

const byType = (finding: string): string => finding.split('/')[0] ?? '';
const bySeverity = (finding: string): string => finding.split('/')[1] ?? '';
const total = (counts: Record<string, number>): number => Object.values(counts).reduce((a, b) => a + b, 0);
const mean = (list: readonly Judged[]): number =>
  list.reduce((sum, { score }) => sum + score, 0) / list.length;

function expectedReport(market: string | null): Json {
  const list = of(market);
  const scores = list.map(({ score }) => score);
  const share = (low: number, high: number): number =>
    scores.filter((score) => score >= low - 1e-9 && score < high - 1e-9).length;
  const types = tally(list, byType);
  return {
    market: market ?? 'all',
    quality_metrics: {
      average_quality_score: expect.closeTo(mean(list), 9),
      minimum_quality_score: expect.closeTo(Math.min(...scores), 9),
      maximum_quality_score: expect.closeTo(Math.max(...scores), 9),
      total_records: list.length,
      valid_records: list.filter(({ findings }) => !findings.some((each) => /^(val|range_vio)/.test(each)))
        .length,
      sub_scores: expect.objectContaining({ completeness: 1, timeliness: 1 }),
    },
    quality_distribution: {
      high_quality: share(0.9, 2),
      medium_quality: share(0.7, 0.9),
      low_quality: share(0, 0.7),
    },
    anomaly_summary: {
      total_anomalies: total(types),
      by_type: types,
      by_severity: tally(list, bySeverity),
      anomaly_rate: expect.closeTo(total(types) / list.length, 9),
    },
    recommendations: expect.any(Array),
    generated_at: expect.any(String),
    report_period: { start: expect.any(String), end: expect.any(String), hours: 24 },
    by_market: expect.any(Object),
    by_connector: expect.any(Object),
    worst_keys: expect.any(Array),
  };
}

async function reports(): Promise<Json[]> {
  const all = await Promise.all(
    ['', '&market=CAISO', '&market=miso'].map((more) => ask(`/quality/report?hours=24${more}`)),
  );
  return all;
}

const expectedReports = () => [null, 'CAISO', 'MISO'].map(expectedReport);

test('D4: the report has the shape and the numbers of the oracle, as a whole and by market', async () => {
  expect(await reports()).toEqual(expectedReports());
  const { report_period: period } = JSON.parse(JSON.stringify(await ask('/quality/report?hours=3')));
  expect(Date.parse(period.end) - Date.parse(period.start)).toBe(3 * 3_600_000);
}, 60_000);

test('D4: where there is no data the average is unknown, not 0', async () => {
  const report = await ask('/quality/report?hours=24&market=ERCOT');
  expect(report.quality_metrics).toMatchObject({
    average_quality_score: null,
    minimum_quality_score: null,
    total_records: 0,
  });
  expect(report.anomaly_summary).toMatchObject({ total_anomalies: 0, anomaly_rate: null });
}, 60_000);

test('D10: which market, which connector, which instruments', async () => {
  const report = JSON.parse(JSON.stringify(await ask('/quality/report')));
  const brief = (market: string) => ({
    average_quality_score: expect.closeTo(mean(of(market)), 9),
    records: of(market).length,
    low_quality: of(market).filter(({ score }) => score < 0.7 - 1e-9).length,
  });
  expect(report.by_market).toEqual({ CAISO: brief('CAISO'), MISO: brief('MISO') });
  expect(report.by_connector).toEqual({ caiso: brief('CAISO'), miso: brief('MISO') });
  const means = Object.entries(Object.groupBy(expected, ({ instrument }) => instrument))
    .map(([, list = []]) => mean(list))
    .sort((a, b) => a - b);
  const got: { average_quality_score: number; link: string }[] = report.worst_keys;
  expect(got.length).toBe(10);
  for (const [n, each] of got.entries()) {
    expect(each.average_quality_score).toBeCloseTo(means[n] ?? Number.NaN, 9);
    expect((await product.get('data-quality', each.link)).status).toBe(200);
  }
}, 60_000);

describe('D5: hours that are none', () => {
  test.each(['0', '-1', 'abc', '100000', '721', '1.5', ''])(
    '%p is 422 and names the field',
    async (hours) => {
      for (const path of ['/quality/report', '/anomalies/summary']) {
        const response = await product.get('data-quality', `${path}?hours=${hours}`);
        const { error, fields } = JSON.parse(await response.text());
        expect([response.status, error, fields[0].field]).toEqual([422, 'invalid_parameter', 'hours']);
      }
    },
  );

  test('720 is the most', async () => {
    expect((await product.get('data-quality', '/quality/report?hours=720')).status).toBe(200);
  });
});

interface Page {
  readonly anomalies: Readonly<Record<string, string>>[];
  readonly count: number;
  readonly next: string | null;
  readonly filters: Json;
}

const page = async (query: string): Promise<Page> =>
  JSON.parse(JSON.stringify(await ask(`/anomalies?${query}`)));

async function allPages(query: string): Promise<Page['anomalies']> {
  const found: Page['anomalies'] = [];
  for (let next: string | null = ''; next !== null; ) {
    const one: Page = await page(`${query}&limit=1000${next === '' ? '' : `&cursor=${next}`}`);
    found.push(...one.anomalies);
    next = one.next;
  }
  return found;
}

test('D6: fifty, newest first, and a cursor to each of the others once', async () => {
  const first = await page('limit=50');
  expect([first.count, first.anomalies.length, typeof first.next]).toEqual([50, 50, 'string']);
  expect(first.filters).toEqual({
    market: null,
    anomaly_type: null,
    severity: null,
    start_time: null,
    end_time: null,
  });
  const second = await page(`limit=10&cursor=${first.next}`);
  const all = await allPages('market=all');
  expect(all.slice(0, 60)).toEqual([...first.anomalies, ...second.anomalies]);
  expect(all.length).toBe(total(tally(expected, byType)));
  expect(new Set(all.map(({ event_id }) => event_id)).size).toBe(all.length);
  const times = all.map(({ detected_at }) => detected_at ?? '');
  expect(times).toEqual([...times].sort().reverse());
}, 60_000);

test('D6: filters by market, type, severity and time of detection', async () => {
  const types = tally(of('MISO'), (finding) => finding);
  for (const [finding, count] of Object.entries(types)) {
    const query = `market=MISO&anomaly_type=${byType(finding)}&severity=${bySeverity(finding)}`;
    expect(`${finding} ${(await allPages(query)).length}`).toBe(`${finding} ${count}`);
  }
  const [newest] = (await page('limit=1')).anomalies;
  const at = newest?.detected_at ?? '';
  const before = await allPages(`end_time=${at}`);
  const from = await allPages(`start_time=${at}`);
  expect(before.length + from.length).toBe(total(tally(expected, byType)));
  expect(from.length).toBeGreaterThan(0);
  expect(from.every(({ detected_at }) => detected_at === at)).toBe(true);
  for (const wrong of ['limit=0', 'limit=1001', 'severity=bad', 'start_time=yesterday', 'cursor=x']) {
    const response = await product.get('data-quality', `/anomalies?${wrong}`);
    const { fields } = JSON.parse(await response.text());
    expect([response.status, fields[0].field]).toEqual([422, wrong.split('=')[0]]);
  }
}, 60_000);

test('D7: the summary counts by type, market and severity', async () => {
  expect(await ask('/anomalies/summary?hours=24')).toEqual({
    total_anomalies: total(tally(expected, byType)),
    by_type: tally(expected, byType),
    by_market: tally(expected, (_, { market }) => market),
    by_severity: tally(expected, bySeverity),
    time_window_hours: 24,
    timestamp: expect.any(String),
  });
}, 60_000);

test('D8: scores by market, over a window of assessment and not of delivery', async () => {
  const scores = async (query: string): Promise<unknown> => (await ask(`/quality/scores?${query}`)).scores;
  const all = [...new Set(expected.map(({ market }) => market))].map((market) =>
    expect.objectContaining({
      market,
      average_quality_score: expect.closeTo(mean(of(market)), 9),
      total_records: of(market).length,
    }),
  );
  const found = await scores('');
  expect(found).toEqual(expect.arrayContaining(all));
  expect(await scores('start_time=2011-01-01&end_time=2024-01-01')).toEqual([]);
  expect(await scores(`start_time=2024-01-01&market=MISO`)).toEqual([
    expect.objectContaining({ market: 'MISO', total_records: of('MISO').length }),
  ]);
}, 60_000);

async function metric(name: string, labels: Readonly<Record<string, string>>): Promise<number | undefined> {
  const families = parsePrometheus(await (await product.get('data-quality', '/metrics')).text());
  const wanted = Object.entries(labels);
  return families.get(name)?.samples.find((each) => wanted.every(([key, text]) => each.labels[key] === text))
    ?.value;
}

test('D1, D2: the gauges are the report’s numbers', async () => {
  for (const market of ['CAISO', 'MISO']) {
    expect(await metric('dq_quality_score_avg', { market })).toBeCloseTo(mean(of(market)), 9);
    const rate = total(tally(of(market), byType)) / of(market).length;
    expect(await metric('dq_anomaly_rate', { market })).toBeCloseTo(rate, 9);
  }
}, 60_000);

test('a replay of 2011 is healthy', async () => {
  await until('health', async () => (await ask('/health')).status === 'healthy');
}, 60_000);

test('a restart, and the same prices fed once more, leave no double', async () => {
  const ids = new Set((await allPages('market=CAISO')).map(({ event_id }) => event_id));
  expect(await product.stop()).toBe(0);
  product = await startProduct({ dir: dir.path });
  await product.sampleIn();
  expect(await reports()).toEqual(expectedReports());
  expect(await product.stop()).toBe(0);
  const path = recording('13_35_13_v3.csv');
  replay(basename(path), `${readFileSync(path, 'utf8')}\n`);
  product = await startProduct({ dir: dir.path });
  await product.sampleIn();
  const report = await ask('/quality/report');
  expect(report.quality_metrics).toMatchObject({ total_records: expected.length });
  const again = await allPages('market=CAISO');
  const now = new Set(again.map(({ event_id }) => event_id));
  expect(now.size).toBe(again.length);
  expect([...ids].every((id) => now.has(id))).toBe(true);
}, 300_000);

test('D3: bad data is counted by rule, scored low, and refused where it is no price', async () => {
  expect(await product.stop()).toBe(0);
  const [header = '', ...rows] = readFileSync(recording('13_35_13_v3.csv'), 'utf8').split(/\r?\n/);
  const at = (start: string) =>
    rows.filter((row) => row.startsWith(start) && row.includes(',LSTHLLS_6_N001,'));
  const valued = (row: string, price: string): string =>
    row.includes(',LMP,LMP_PRC,') ? row.replace(/,-?[\d.]+,(\d+,\d+)$/, `,${price},$1`) : row;
  const bad = [
    header,
    ...at('2022-09-01T07:00').map((row) => valued(row, '9999')),
    ...at('2022-09-01T07:15').map((row) => valued(row, 'NaN')),
  ];
  replay('20220901_20220901_PRC_RTPD_LMP_RTPD_20230214_10_00_00_v3.csv', bad.join('\n'));
  product = await startProduct({ dir: dir.path });
  await product.sampleIn();
  const rule = (name: string) => metric('dq_validation_errors_total', { market: 'CAISO', rule: name });
  expect([await rule('range.price'), await rule('lmp_components')]).toEqual([1, 1]);
  const [violation] = (await page('anomaly_type=range_violation')).anomalies;
  expect(violation).toMatchObject({
    market: 'CAISO',
    instrument_id: 'CAISO:RTPD:LSTHLLS_6_N001',
    severity: 'high',
    actual_value: '9999',
    expected_value: '-150 to 2000',
  });
  const report = await ask('/quality/report');
  expect(report.quality_metrics).toMatchObject({
    total_records: expected.length + 1,
    valid_records: expected.length,
    minimum_quality_score: expect.closeTo((1 + 0.5 + 1 + 1 + 0.25) / 5, 9),
  });
  const letters = await product.json('normalization', '/dead-letters');
  expect(letters).toMatchObject({ total: 1 });
}, 300_000);

/** Feeds a recording of these words into the data of the product, which must be stopped. */
function replay(name: string, text: string): void {
  const copy = join(dir.path, name);
  writeFileSync(copy, text);
  const command = [process.execPath, 'runtime/cli/replay.ts', copy, '--data', join(dir.path, 'data')];
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, {
    cwd: join(import.meta.dir, '../..'),
    env: productEnvironment(dir.path, {}),
  });
  if (exitCode !== 0) throw new Error(`replay ended with ${exitCode}: ${stdout}${stderr}`);
}
