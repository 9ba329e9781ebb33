// `bun run replay` as its users meet it: files and folders of every kind, exports that other programs read,
// exit codes, a pace, a signal in the middle, and what it says when the books do not balance.

import { Database } from 'bun:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { observe } from '../oracle/observe.ts';
import { readRecording } from '../oracle/read.ts';
import { barDifferences } from '../support/against-oracle.ts';
import { type Bench, openBench } from '../support/bench.ts';
import { barsOfCsv, csvCells } from '../support/csv.ts';
import { recording } from '../support/recordings.ts';
import { killAt, type Replayed, recordsOnLog, replay, startReplay, summaryOf } from '../support/replay.ts';
import { until } from '../support/until.ts';

const MINUTES = 60_000;
const root = mkdtempSync(join(tmpdir(), 'carbon-cli-'));
const at = (...parts: readonly string[]): string => join(root, ...parts);
const hour = recording('lmp1Hour');

afterAll(() => rmSync(root, { recursive: true, force: true }));

async function* each<T>(of: readonly T[]): AsyncIterable<T> {
  yield* of;
}

const TABLES = [
  'gold_enriched_market_data',
  'gold_ohlc_bars',
  'gold_rolling_metrics',
  'gold_curve_prestage',
  'gold_data_quality_anomalies',
  'gold_data_quality_scores',
];

describe('an export', () => {
  // A 23-hour day, a hole, negatives and scarcity prices, a zip, an XML, a JSON: some in a folder's folder.
  const names = ['20190301_20190401', '13_30_51', '20240418', 'lmp1Day', '20261001_GetRealTime'];
  const paths = names.map(recording);
  let outcome: Replayed;
  let bench: Bench;

  beforeAll(async () => {
    mkdirSync(at('in', 'deep', 'er'), { recursive: true });
    for (const [n, path] of paths.entries()) {
      copyFileSync(path, at('in', n > 2 ? 'deep/er' : '', path.slice(path.lastIndexOf('/') + 1)));
    }
    writeFileSync(at('in', 'README.md'), 'no recording');
    outcome = await replay(at('in'), '--data', at('data'), '--export', at('out'));
    bench = await openBench({ dir: at('data') });
  }, 2 * MINUTES);

  afterAll(() => bench?.close());

  test('ends with a table of conservation that balances, and 0', () => {
    expect(outcome.stderr).not.toContain('"level":"error"');
    expect(outcome.code).toBe(0);
    expect(outcome.stdout).toMatch(/^service +topic +read +first +revision +duplicate/m);
    expect(outcome.stdout).toMatch(/^enrichment +normalized\.market\.ticks\.v1 +6,716 /m);
    expect(outcome.stdout.trimEnd()).toMatch(/\nconservation: 0 \(\d+ checks [^\n]*$/);
    for (const line of outcome.stderr.trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('event');
  });

  test('gives bars as agreed: columns, order, sorting, texts', () => {
    const text = readFileSync(at('out', 'gold_ohlc_bars.csv'), 'utf8');
    const [header = [], ...rows] = csvCells(text);
    expect(header.slice(0, 18).join(',')).toBe(
      'market,run,delivery_location,bar_size,bar_start,bar_end,open_price,high_price,low_price,close_price,' +
        'volume,vwap,twap,trade_count,expected_count,revision,complete,final',
    );
    const keys = rows.map((row) => row.slice(0, 5).join('\u0000'));
    expect(keys).toEqual([...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
    for (const row of rows) {
      expect(row.length).toBe(header.length);
      expect(`${row[4]} ${row[5]}`).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:00Z \d{4}-\d\d-\d\dT\d\d:\d\d:00Z$/);
      expect(row[11]).toBe('');
      expect(`${row[16]} ${row[17]}`).toMatch(/^(true|false) true$/);
    }
    expect(text).not.toContain('\r');
  });

  test('gives bars that equal the oracle', async () => {
    const rows = barsOfCsv(readFileSync(at('out', 'gold_ohlc_bars.csv'), 'utf8'));
    expect(await barDifferences(each(rows), observe(paths.flatMap(readRecording)))).toEqual([]);
  });

  test('gives each gold table in both formats, row for row', async () => {
    for (const table of TABLES) {
      const [header = [], ...lines] = csvCells(readFileSync(at('out', `${table}.csv`), 'utf8'));
      const hash = `sum(cityHash64(toString(tuple(${header.join(', ')}))))`;
      const print = (from: string) =>
        bench.clickhouse.rows(`SELECT count() AS rows, ${hash} AS hash FROM ${from}`);
      const parquet = await print(`file('${at('out', `${table}.parquet`)}', Parquet)`);
      expect([table, parquet]).toEqual([table, await print(`carbon_ingestion.${table} FINAL`)]);
      expect(parquet).toMatchObject([{ rows: lines.length }]);
    }
  });
});

describe('files that cannot be used', () => {
  test(
    'are listed with reasons, and 1 comes after the others are done',
    async () => {
      mkdirSync(at('empty'));
      writeFileSync(at('notes.txt'), 'bought milk');
      const bad = [at('nowhere'), at('empty'), at('notes.txt'), recording('TRUNCATED')];
      const found = await replay(...bad, hour, hour, '--json', '--data', at('bad'));
      const { failed, ticks, responses, conservation } = summaryOf(found);
      expect(failed.map((one) => one.path.split('/').pop())).toEqual([
        'nowhere',
        'empty',
        'notes.txt',
        'TRUNCATED_20200515_20200515_DAM_LMP_GRP_N_N_v1_csv.zip',
      ]);
      expect(failed.map((one) => one.reason.slice(0, 25))).toEqual([
        'there is no such file or ',
        'no recording is in it',
        'unknown_format: no feed r',
        'truncated: it does not be',
      ]);
      expect(ticks).toBe(12);
      expect(responses.length).toBe(3);
      expect(conservation?.balanced).toBe(true);
      expect(found.stderr).toContain('NOT USED');
      expect(found.code).toBe(1);
      // What was done is known: the same again, and a copy of it in another folder, add nothing.
      mkdirSync(at('elsewhere'));
      cpSync(hour, at('elsewhere', basename(hour)), { preserveTimestamps: true });
      const again = summaryOf(await replay(hour, at('elsewhere'), '--json', '--data', at('bad')));
      expect(again.responses.map((one) => one.fresh)).toEqual([false, false]);
      expect(again.ticks).toBe(0);
      expect(again.conservation?.balanced).toBe(true);
      const both = summaryOf(await replay(hour, at('elsewhere'), '--json'));
      expect(both.responses.map((one) => one.fresh)).toEqual([true, false]);
      expect(both.conservation?.balanced).toBe(true);
      // A copy under another name is another publication of the same: its versions change nothing.
      copyFileSync(hour, at('copy.xml'));
      const words = [at('copy.xml'), '--json', '--data', at('bad'), '--export', at('bad')];
      expect(summaryOf(await replay(...words)).conservation?.balanced).toBe(true);
      const rows = barsOfCsv(readFileSync(at('bad', 'gold_ohlc_bars.csv'), 'utf8'));
      expect(await barDifferences(each(rows), observe(readRecording(hour)))).toEqual([]);
    },
    MINUTES,
  );

  test(
    'answers of an operator that hold no price are no failure',
    async () => {
      const answers = ['NO_DATA_1000', 'INVALID_REQUEST_1001', 'AUP_429'].map(recording);
      const found = await replay(...answers, '--json');
      expect(found.code).toBe(0);
      expect(summaryOf(found)).toMatchObject({ ticks: 0, failed: [] });
    },
    MINUTES,
  );
});

describe('exit codes', () => {
  test(
    '0 for help, 64 for wrong usage',
    async () => {
      const help = await replay('--help');
      expect([help.code, help.stdout.slice(0, 21)]).toEqual([0, 'usage: bun run replay']);
      const wrong = [
        [],
        ['--speed', 'fast', hour],
        ['--speed', '0x', hour],
        ['--sped=1x', hour],
        [hour, '--data'],
      ];
      for (const words of wrong) {
        const found = await replay(...words);
        expect([words, found.code, found.stderr.includes('usage: bun run replay')]).toEqual([
          words,
          64,
          true,
        ]);
      }
    },
    MINUTES,
  );

  test(
    '78 for directories and configuration that cannot be used',
    async () => {
      writeFileSync(at('file'), '');
      const exported = await replay(hour, '--export', at('file', 'out'));
      expect([exported.code, JSON.parse(exported.stdout).check]).toEqual([78, 'export_directory']);
      const kept = await replay(hour, '--data', at('file', 'data'));
      expect(kept.code).toBe(78);
      const holder = await openBench({ dir: at('held') });
      const held = await replay(hour, '--data', at('held'));
      await holder.close();
      expect([held.code, JSON.parse(held.stdout).check]).toEqual([78, 'data_directory']);
      expect(held.stderr).toContain('held by another process');
      cpSync(resolve(import.meta.dir, '../../configs'), at('configs'), { recursive: true });
      writeFileSync(at('configs', 'runtime.yaml'), 'log: { partitions: many }\n');
      const env = { CONFIG_DIR: at('configs') };
      const configured = startReplay(env, hour);
      expect(await configured.exited).toBe(78);
      expect(await configured.stderr()).toContain('runtime.yaml:1:');
    },
    MINUTES,
  );
});

describe('on the way', () => {
  test(
    'a pace follows the time of the market',
    async () => {
      const found = summaryOf(await replay(hour, '--speed', '1800x', '--json'));
      expect(found.ticks).toBe(12);
      // From the first interval to the last are 55 minutes.
      expect(found.seconds).toBeGreaterThanOrEqual((55 * 60) / 1_800);
    },
    MINUTES,
  );

  test(
    'a signal stops it in order, and the same command goes on',
    async () => {
      const child = startReplay({}, hour, '--data', at('stopped'), '--speed', '60x', '--export', at('none'));
      await until('some are on the log', () => recordsOnLog(at('stopped')) > 3);
      child.kill('SIGINT');
      expect(await child.exited).toBe(1);
      expect(await child.stdout()).toContain('stopped after 0 of 1 files');
      expect(await child.stdout()).not.toContain('exported');
      const rest = await replay(hour, '--data', at('stopped'), '--export', at('rest'));
      expect(rest.code).toBe(0);
      const rows = barsOfCsv(readFileSync(at('rest', 'gold_ohlc_bars.csv'), 'utf8'));
      expect(await barDifferences(each(rows), observe(readRecording(hour)))).toEqual([]);
    },
    MINUTES,
  );

  test(
    'a second signal does not wait',
    async () => {
      const child = startReplay({}, recording('20200101_20200101'), '--data', at('twice'));
      await until('some are on the log', () => recordsOnLog(at('twice')) > 1_000);
      child.kill('SIGINT');
      child.kill('SIGINT');
      await until('it has left', () => {
        child.kill('SIGINT');
        return child.exitCode;
      });
      expect(child.exitCode).toBe(130);
    },
    MINUTES,
  );

  test(
    'a terminal gets one line that is written over',
    async () => {
      let shown = '';
      const decoder = new TextDecoder();
      const child = Bun.spawn([process.execPath, 'runtime/cli/replay.ts', hour, '--speed', '1800x'], {
        cwd: resolve(import.meta.dir, '../..'),
        env: { PATH: process.env.PATH, TERM: 'xterm' },
        terminal: {
          cols: 120,
          rows: 30,
          data: (_, bytes) => {
            shown += decoder.decode(bytes);
          },
        },
      });
      expect(await child.exited).toBe(0);
      expect(shown).toMatch(/replaying {2}\d+ ticks {2}\d+\/s {2}\d+ bars {2}lag \d+/);
      expect(shown).toContain('\r\u001b[2K');
      expect(shown).not.toContain('{"level"');
      expect(shown).toContain('conservation: 0');
    },
    MINUTES,
  );
});

test(
  'books that do not balance: a lost stretch of input is found, said and raised',
  async () => {
    const dir = at('lossy');
    const file = recording('20190301_20190401');
    const child = startReplay({}, file, '--data', dir);
    expect(await killAt(child, dir, 4_000)).toBe(true);
    const lost = skipUnread(dir);
    expect(lost).toBeGreaterThan(0);
    const found = await replay(file, '--data', dir);
    expect(found.code).toBe(1);
    expect(found.stdout).toMatch(/ OFF BY -?\d/);
    expect(found.stdout.trimEnd()).toMatch(/conservation: DOES NOT HOLD .*DataLoss$/);
    const raised = found.stderr.split('\n').filter((line) => line.includes('"data_loss"'));
    expect(raised.length).toBeGreaterThan(0);
    for (const line of raised) expect(JSON.parse(line)).toMatchObject({ level: 'error', kind: 'data_loss' });
  },
  MINUTES,
);

/** The fault of an operator who sets a group to the end: what it had not read yet, it never reads. */
function skipUnread(dir: string): number {
  const db = new Database(join(dir, 'log', 'log.sqlite'));
  const unread = `SELECT o.grp, o.tp, e.next FROM offsets o JOIN ends e USING (tp) WHERE o.next < e.next`;
  const rows = db.query<{ grp: string; tp: number; next: number }, []>(unread).all();
  for (const { grp, tp, next } of rows) {
    db.query('UPDATE offsets SET next = ? WHERE grp = ? AND tp = ?').run(next, grp, tp);
  }
  db.close();
  return rows.length;
}
