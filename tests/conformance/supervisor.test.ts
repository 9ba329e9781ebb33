// Supervision after the cases that OTP's supervisor_SUITE is known for, as tables: intensity and period,
// backoff, the ladder of escalation, and the directory of actors on both hosts. Each row is one case.

import { describe, expect, test } from 'bun:test';
import { addRestart, backoffMs, CALM, escalate, type Ladder, NO_RESTARTS } from '../../actors/supervision.ts';
import { nactHost } from '../../runtime/actor-system.ts';
import { seededHost } from '../simulation/seeded-host.ts';
import { DirectoryRig } from './supervisor-rig.ts';

/** `.` within the budget, `!` exceeded; one for each time, milliseconds, in a period of 1,000. */
const INTENSITY: readonly (readonly [what: string, intensity: number, times: number[], verdicts: string])[] =
  [
    ['the first of none allowed exceeds', 0, [0], '!'],
    ['every one of none allowed exceeds', 0, [0, 5_000], '!!'],
    ['one allowed: the first holds', 1, [0], '.'],
    ['one allowed: a second one exceeds', 1, [0, 1], '.!'],
    ['at the limit it holds', 3, [0, 1, 2], '...'],
    ['one above the limit exceeds', 3, [0, 1, 2, 3], '...!'],
    ['and goes on to exceed while they are near', 3, [0, 1, 2, 3, 4], '...!!'],
    ['all at one instant count each', 2, [7, 7, 7], '..!'],
    ['one period old still counts', 1, [0, 1_000], '.!'],
    ['a millisecond more does not', 1, [0, 1_001], '..'],
    ['the oldest leaves the window first', 2, [0, 600, 1_001], '...'],
    ['and those behind it stay', 2, [0, 600, 1_001, 1_002], '...!'],
    ['steady ones below the rate never exceed', 2, [0, 501, 1_002, 1_503, 2_004], '.....'],
    ['steady ones above it do', 2, [0, 499, 998, 1_497], '..!!'],
    ['a long calm gives the whole budget back', 1, [0, 1, 9_000], '.!.'],
    ['a clock that goes back keeps the count', 1, [5_000, 4_000], '.!'],
  ];

describe('restart intensity', () => {
  test.each(INTENSITY)('%s', (_, intensity, times, verdicts) => {
    let window = NO_RESTARTS;
    const found = times.map((at, n) => {
      const verdict = addRestart(window, `r${n}`, at, { intensity, periodMs: 1_000 });
      window = verdict.window;
      return verdict.exceeded ? '!' : '.';
    });
    expect(found.join('')).toBe(verdicts);
  });
});

const BACKOFF: readonly (readonly [
  what: string,
  jitter: number,
  attempt: number,
  draw: number,
  ms: number,
])[] = [
  ['the first wait', 0, 0, 0.5, 100],
  ['doubles', 0, 1, 0.5, 200],
  ['and doubles', 0, 4, 0.5, 1_600],
  ['up to its maximum', 0, 6, 0.5, 5_000],
  ['and no further', 0, 1_000, 0.5, 5_000],
  ['the lower end of the jitter', 0.25, 0, 0, 75],
  ['its middle', 0.25, 0, 0.5, 100],
  ['its upper end', 0.25, 0, 1, 125],
  ['whole jitter reaches nothing', 1, 0, 0, 0],
  ['and twice as much', 1, 0, 1, 200],
];

describe('backoff', () => {
  test.each(BACKOFF)('%s', (_, jitter, attempt, draw, ms) => {
    expect(backoffMs({ initialMs: 100, maxMs: 5_000, jitter }, attempt, draw)).toBe(ms);
  });
});

const within = (intensity: number) => ({ intensity, periodMs: 1_000 });
const LADDER: Ladder = { shard: within(1), market: within(1), service: within(1) };

/** Each defect as `instrument shard market time`; each step as `time level what`. */
const LADDERS: readonly (readonly [what: string, defects: string[], steps: string[]])[] = [
  ['one defect stays with its instrument', ['A 0 X 0'], []],
  ['the same instrument again counts once', ['A 0 X 0', 'A 0 X 1', 'A 0 X 2'], []],
  ['two of a shard restart it', ['A 0 X 0', 'B 0 X 1'], ['1 shard X/0']],
  ['two of different shards do not', ['A 0 X 0', 'B 1 X 1'], []],
  ['two of different markets do not', ['A 0 X 0', 'B 0 Y 1'], []],
  ['two that are far apart do not', ['A 0 X 0', 'B 0 X 1001'], []],
  ['a shard that restarted begins anew', ['A 0 X 0', 'B 0 X 1', 'A 0 X 2'], ['1 shard X/0']],
  [
    'a second restart of a shard goes to its market',
    ['A 0 X 0', 'B 0 X 1', 'A 0 X 2', 'B 0 X 3'],
    ['1 shard X/0', '3 market X'],
  ],
  [
    'restarts of two shards do as well',
    ['A 0 X 0', 'B 0 X 1', 'C 1 X 2', 'D 1 X 3'],
    ['1 shard X/0', '3 market X'],
  ],
  [
    'restarts of shards of two markets do not',
    ['A 0 X 0', 'B 0 X 1', 'C 0 Y 2', 'D 0 Y 3'],
    ['1 shard X/0', '3 shard Y/0'],
  ],
  [
    'restarts far apart do not',
    ['A 0 X 0', 'B 0 X 1', 'A 0 X 2000', 'B 0 X 2001'],
    ['1 shard X/0', '2001 shard X/0'],
  ],
  [
    'restarts of two markets end the process',
    ['A 0 X 0', 'B 0 X 1', 'A 0 X 2', 'B 0 X 3', 'A 0 Y 4', 'B 0 Y 5', 'A 0 Y 6', 'B 0 Y 7'],
    ['1 shard X/0', '3 market X', '5 shard Y/0', '7 process service'],
  ],
];

describe('escalation', () => {
  test.each(LADDERS)('%s', (_, defects, steps) => {
    let state = CALM;
    const found: string[] = [];
    for (const defect of defects) {
      const [what = '', shard = '', market = '', at = ''] = defect.split(' ');
      const step = escalate(state, { what, shard: `${market}/${shard}`, market }, Number(at), LADDER);
      state = step.state;
      if (step.restart !== null) found.push(`${at} ${step.restart.level} ${step.restart.what}`);
    }
    expect(found).toEqual(steps);
  });
});

/** `tells` and what the rig does are one word each; the rows are read in supervisor-rig.ts. */
const CASES: readonly (readonly [what: string, script: string, end: string])[] = [
  ['an actor starts with its first record', 'fold A 1', 'A:1'],
  ['each instrument has an actor of its own', 'fold A 1; fold B 2', 'A:1 B:2'],
  ['an actor that lives is not started again', 'fold A 1; fold A 2', 'A:1,2'],
  ['nothing is started for nobody', '', ''],
  ['one-for-one: a crash touches no other', 'fold A 1; fold B 2; crash A; fold B 3', 'A:1 B:2,3'],
  ['it comes back with its committed state', 'fold A 1; fold A 2; crash A', 'A:1,2'],
  ['and goes on from there', 'fold A 1; crash A; fold A 2', 'A:1,2'],
  ['what it had not answered is sent again', 'fold A 1; crash-on A 2', 'A:1,2'],
  ['a crash at the first record', 'crash-on A 1', 'A:1'],
  ['a crash during the restart', 'fold A 1; crash-on A 2 twice', 'A:1,2'],
  ['as often as the budget allows', 'crash A; crash A; crash A; fold A 1', 'A:1'],
  ['once more: it is suspended', 'fold A 1; crash A; crash A; crash A; crash A', 'A:1 (suspended)'],
  [
    'no record is folded on a suspended one',
    'crash A; crash A; crash A; crash A; fold A 1',
    'A: (suspended)',
  ],
  ['crashes further apart are forgiven', 'crash A; crash A; crash A; wait; crash A; fold A 1', 'A:1'],
  ['the budget of one is not that of another', 'crash A; crash A; crash B; crash B; fold A 1', 'A:1 B:'],
  ['a shard restarts with all of its actors', 'fold A 1; fold B 2; restart shard; fold A 3', 'A:1,3 B:2'],
  ['a market restarts with all of its shards', 'fold A 1; fold B 2; fold C 3; restart X', 'A:1 B:2 C:3'],
  ['a restart of nothing is none', 'fold A 1; restart Y', 'A:1'],
  ['what is in flight at a restart is sent again', 'hold A 1; restart X', 'A:1'],
  ['passivation: without a slot an actor stops', 'fold A 1; disown', ''],
  ['revival: it starts from what was stored', 'fold A 1; disown; own; fold A 2', 'A:1,2'],
  ['passivation: one that nothing came for goes to rest', 'fold A 1; idle; idle', ''],
  ['passivation: a round has to pass without a message', 'fold A 1; idle; fold A 2; idle', 'A:1,2'],
  ['passivation: the others stay', 'fold A 1; fold B 2; idle; fold B 3; idle', 'B:2,3'],
  ['passivation: what is in hand keeps its actor', 'hold A 1; idle; idle; restart X', 'A:1'],
  ['passivation: who crashed stays for a look', 'fold A 1; crash-on A 2; idle; idle', 'A:1,2'],
  ['revival: it goes on from what it was', 'fold A 1; idle; idle; fold A 2; fold B 3', 'A:1,2 B:3'],
  ['revival: again and again', 'fold A 1; idle; idle; fold A 2; idle; idle; fold A 3', 'A:1,2,3'],
  ['revival: at another member', 'fold A 1; idle; idle; disown; own; fold A 2', 'A:1,2'],
  ['a crash of what is gone changes nothing', 'fold A 1; crash-late A; own', ''],
  ['an answer of an earlier life reaches nobody', 'hold A 1; disown; own; fold A 2', 'A:2'],
  ['a crash after a release counts anew', 'crash A; crash A; crash A; wait; crash A; crash A', 'A:'],
  ['thousands of children', 'many 3000', 'many'],
  ['thousands of children, each crashed once', 'many 3000; crash-all', 'many'],
];

describe.each([
  ['nact', () => ({ host: nactHost(), turns: 400 })],
  ['seeded', () => ({ host: seededHost(7), turns: 0 })],
] as const)('the directory on %s', (_, open) => {
  test.each(CASES)('%s', async (_name, script, end) => {
    const rig = new DirectoryRig(open().host);
    for (const line of script.split('; ').filter((each) => each !== '')) await rig.act(line);
    await rig.settle();
    expect(rig.standing()).toBe(end);
  });

  test('a shard takes no more than its children, and the next one is opened', async () => {
    const rig = new DirectoryRig(open().host);
    for (const id of 'ABCDE') await rig.act(`fold ${id} 1`);
    expect(rig.shards()).toEqual([2, 2, 1]);
    await rig.act('crash A');
    expect(rig.shards()).toEqual([2, 2, 1]);
  });

  test('every crash is told once, with what is left of the budget', async () => {
    const rig = new DirectoryRig(open().host);
    for (let n = 0; n < 4; n += 1) await rig.act('crash A');
    expect(rig.told).toEqual(['A 2', 'A 1', 'A 0', 'A 0']);
  });
});
