// A run of many seeds is kept: stopped or killed, the same command goes on where it was, and what it found
// stands in the README when it is asked to.

import { expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from '../support/product.ts';
import type { Judged } from './judge.ts';
import { root, simulator } from './mutants.ts';
import { readmeWith } from './sim-report.ts';
import { type Asked, KeptRun } from './totals.ts';

const MINUTE = 60_000;
const ASKED: Asked = { commit: 'c0ffee', seeds: 4, records: 30, faults: null };

function judged(seed: number, broken: readonly string[] = []): Judged {
  return {
    wish: { seed, records: 30, faults: null, keep: null },
    broken,
    step: 7,
    simulatedMs: 3_600_000,
    records: 31,
    injected: new Map([['crash', 2]]),
    faults: ['crash'],
    hash: '',
  };
}

test('a run goes on with what it had, and not with what was asked otherwise', () => {
  using dir = temporaryDirectory();
  const file = join(dir.path, 'kept', 'run.json');
  const run = new KeptRun(file, ASKED, 100);
  run.totals.add(judged(100), 1_000);
  run.totals.add(judged(101, ['a law']), 2_000);
  run.save();

  const again = new KeptRun(file, ASKED, 555);
  expect(again.first).toBe(100);
  expect(again.totals.summary).toEqual(run.totals.summary);
  expect(again.totals.failed).toEqual([{ seed: 101, step: 7, broken: ['a law'] }]);
  expect(again.totals.summary).toEqual({
    seeds: 2,
    failures: 1,
    records: 62,
    simulated_hours: 2,
    seeds_per_minute: 40,
    faults: { crash: 4 },
  });
  for (const other of [{ commit: 'other' }, { seeds: 5 }, { records: 31 }, { faults: ['crash'] }])
    expect(new KeptRun(file, { ...ASKED, ...other }, 555).first).toBe(555);
});

test(
  'the command goes on after the seeds that are done, and begins anew when all are',
  async () => {
    using dir = temporaryDirectory();
    const file = join(dir.path, 'run.json');
    const commit = Bun.spawnSync(['git', 'rev-parse', '--short', 'HEAD'], { cwd: root }).stdout.toString();
    const half = new KeptRun(file, { ...ASKED, commit: commit.trim() }, 900);
    for (const seed of [900, 901, 902]) half.totals.add(judged(seed), 1_000);
    half.save();
    const words = ['--seeds', 4, '--records', 30, '--state', file];
    const { code, lines } = await simulator(root, ...words);
    expect(lines.slice(0, 2)).toEqual([
      `seed 900 to 903, commit ${commit.trim()}`,
      `goes on after 3 seeds, as kept in ${file}`,
    ]);
    expect(lines.at(-2)).toStartWith('4 seeds, 0 failures, ');
    expect([code, existsSync(file)]).toEqual([0, false]);
  },
  2 * MINUTE,
);

test('the result replaces the one that stood in the README, and nothing else', () => {
  const frame = (inside: string) =>
    `# A\n\n<!-- sim: written by \`bun run sim --readme\` -->\n${inside}<!-- /sim -->\n\nB\n`;
  const result = {
    first: 5,
    commit: 'c0ffee',
    wanted: 100,
    asked: 2,
    seeds: 2,
    failures: 0,
    records: 200,
    simulated_hours: 1.5,
    seeds_per_minute: 30,
    faults: { crash: 3, zombie: 4 },
  };
  const counts = '2 seeds, 0 failures, 200 records, 1.5 simulated hours, 30 seeds a minute';
  const text = `Seeds 5 to 6 of 100 records at commit c0ffee: ${counts};\nfaults: crash 3, zombie 4.\n`;
  expect(readmeWith(frame('what stood here\n'), result)).toBe(frame(text));
  expect(readmeWith(frame(''), { ...result, asked: 10 })).toContain('2 of 10 seeds, 0 failures');
  expect(() => readmeWith('# A\n', result)).toThrow('the README has no');
});
