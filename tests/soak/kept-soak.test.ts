// A section of the soak as it is kept and told: what was judged is gone on with, a round that was cut short
// counts for nothing, and the README says how far each section came.

import { expect, test } from 'bun:test';
import { temporaryDirs } from '../support/temporary.ts';
import { KeptSoak } from './kept-soak.ts';
import { partsOf } from './sections.ts';
import { type Result, readmeWith } from './soak-report.ts';

const newDir = temporaryDirs('carbon-kept-soak');
const ASKED = { section: 'kill', count: null };

test('a section goes on after its last judged round, with its seed', () => {
  const dir = newDir();
  const first = new KeptSoak(dir, ASKED, 7);
  first.tally.happened('SIGKILLs', 20);
  first.tally.count('in restore', 3);
  first.tally.judged(7, 'SIGKILLs', { ticks: 100, faults: [] }, 1_000);
  first.tally.happened('SIGKILLs', 20);
  first.save('abc');
  first.tally.judged(8, 'SIGKILLs', { ticks: 50, faults: ['a bar is missing'] }, 500);
  first.save('def');
  first.tally.happened('SIGKILLs', 5);
  first.tally.forget();

  const { seed, tally, commits } = new KeptSoak(dir, ASKED, null);
  expect(seed).toBe(7);
  expect([...commits]).toEqual(['abc', 'def']);
  expect(tally).toMatchObject({ rounds: 2, ticks: 150, millis: 1_500, underWay: {} });
  expect(tally.reached).toEqual({ SIGKILLs: 40 });
  expect(tally.told).toEqual({ 'in restore': 3 });
  expect(tally.failed).toEqual([{ seed: 8, part: 'SIGKILLs', faults: ['a bar is missing'] }]);
});

test('another seed, another wish, or a section that has come to its end begin anew', () => {
  const dir = newDir();
  const first = new KeptSoak(dir, ASKED, 7);
  first.tally.judged(7, 'SIGKILLs', { ticks: 100, faults: [] }, 1_000);
  first.save('abc');
  expect(new KeptSoak(dir, ASKED, 8).tally.rounds).toBe(0);
  expect(new KeptSoak(dir, { ...ASKED, count: 5 }, null).tally.rounds).toBe(0);
  expect(new KeptSoak(dir, ASKED, null).tally.rounds).toBe(1);
  first.forget();
  expect(new KeptSoak(dir, ASKED, null).tally.rounds).toBe(0);
});

test('parts are scaled to the first, or run alone', () => {
  const goals = (part: string | null, count: number | null) =>
    partsOf('broker', part, count).map(({ goal }) => goal);
  expect(goals(null, null)).toEqual([50, 10, 50]);
  expect(goals(null, 5)).toEqual([5, 1, 5]);
  expect(goals('restarts of a single broker', 3)).toEqual([3]);
});

test('the README has the last result of each section, and how far it came', () => {
  const result: Result = {
    section: 'kill',
    date: '2026-11-25',
    seed: 7,
    commits: ['abc', 'def'],
    parts: [{ what: 'SIGKILLs', goal: 200 }],
    reached: { SIGKILLs: 83 },
    told: { 'in restore': 3 },
    rounds: 5,
    ticks: 900,
    millis: 600_000,
    failed: [],
  };
  const empty = 'above\n<!-- soak: written by `bun run test:soak --readme` -->\n<!-- /soak -->\nbelow\n';
  const once = readmeWith(empty, result);
  expect(once).toContain('- `kill`, 2026-11-25, seed 7, commit abc, def: 83 of 200 SIGKILLs (in restore 3);');
  const parts = [{ what: 'rolling restarts', goal: 10 }];
  const rolling = { ...result, section: 'rolling', parts, reached: { 'rolling restarts': 10 } };
  const twice = readmeWith(readmeWith(once, rolling), { ...result, reached: { SIGKILLs: 200 } });
  expect(twice.match(/^- `/gm)).toHaveLength(2);
  expect(twice).toContain('def: 200 SIGKILLs');
  expect(twice).toContain('def: 10 rolling restarts');
  expect([twice.startsWith('above\n'), twice.endsWith('<!-- /soak -->\nbelow\n')]).toEqual([true, true]);
  expect(() => readmeWith('nothing', result)).toThrow('the README has no');
});
