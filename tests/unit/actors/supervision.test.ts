// Restart intensity at its limits, backoff bounds and the ladder of escalation.

import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import {
  addRestart,
  backoffMs,
  budgetLeft,
  CALM,
  escalate,
  NO_RESTARTS,
  type RestartWindow,
} from '../../../actors/supervision.ts';

const policy = { intensity: 3, periodMs: 1_000 };

function restarts(times: readonly number[]): { window: RestartWindow; exceeded: boolean[] } {
  let window = NO_RESTARTS;
  const exceeded: boolean[] = [];
  for (const [n, at] of times.entries()) {
    const verdict = addRestart(window, `r${n}`, at, policy);
    window = verdict.window;
    exceeded.push(verdict.exceeded);
  }
  return { window, exceeded };
}

describe('restart intensity', () => {
  test('holds at the limit and gives way one above it', () => {
    expect(restarts([0, 1, 2]).exceeded).toEqual([false, false, false]);
    expect(restarts([0, 1, 2, 3]).exceeded).toEqual([false, false, false, true]);
  });

  test('an entry exactly one period old still counts, one millisecond later it does not', () => {
    expect(restarts([0, 1, 2, 1_000]).exceeded.at(-1)).toBe(true);
    expect(restarts([0, 1, 2, 1_001]).exceeded.at(-1)).toBe(false);
  });

  test('intensity 0: the first one exceeds', () => {
    expect(addRestart(NO_RESTARTS, 'a', 0, { intensity: 0, periodMs: 10 }).exceeded).toBe(true);
  });

  test('the same defect counts once, however often its batch is done again', () => {
    let window = NO_RESTARTS;
    for (let n = 0; n < 10; n += 1) window = addRestart(window, 'p/7', n, policy).window;
    expect(budgetLeft(window, 9, policy)).toBe(2);
  });

  test('the budget comes back with time', () => {
    const { window } = restarts([0, 1, 2]);
    expect(budgetLeft(window, 3, policy)).toBe(0);
    expect(budgetLeft(window, 1_001, policy)).toBe(1);
    expect(budgetLeft(window, 5_000, policy)).toBe(3);
  });

  test('agrees with a naive count over all times', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(400), { maxLength: 30 }), (gaps) => {
        let at = 0;
        const times = gaps.map((gap) => {
          at += gap;
          return at;
        });
        const { exceeded } = restarts(times);
        for (const [n, now] of times.entries()) {
          const inside = times.slice(0, n + 1).filter((each) => now - each <= policy.periodMs).length;
          expect(exceeded[n]).toBe(inside > policy.intensity);
        }
      }),
    );
  });
});

test('backoff doubles up to its maximum and stays within the jitter', () => {
  const backoff = { initialMs: 100, maxMs: 3_000, jitter: 0.2 };
  expect([0, 1, 2, 10].map((n) => backoffMs(backoff, n, 0.5))).toEqual([100, 200, 400, 3_000]);
  fc.assert(
    fc.property(fc.nat(200), fc.double({ min: 0, max: 0.999, noNaN: true }), (attempt, draw) => {
      const plain = Math.min(3_000, 100 * 2 ** Math.min(attempt, 30));
      const delay = backoffMs(backoff, attempt, draw);
      expect(delay).toBeGreaterThanOrEqual(Math.floor(plain * 0.8));
      expect(delay).toBeLessThanOrEqual(Math.ceil(plain * 1.2));
    }),
  );
});

describe('escalation', () => {
  const one = { intensity: 1, periodMs: 1_000 };
  const ladder = { shard: { intensity: 2, periodMs: 1_000 }, market: one, service: one };
  const defect = (n: number) => ({ what: `X:R:L${n}`, shard: 'markets/X/00', market: 'X' });

  test('distinct instruments climb from shard to market to service to process', () => {
    let state = CALM;
    const restarted: string[] = [];
    for (let n = 0; n < 12; n += 1) {
      const step = escalate(state, defect(n), n, ladder);
      state = step.state;
      if (step.restart !== null) restarted.push(`${n}:${step.restart.level}`);
    }
    expect(restarted).toEqual(['2:shard', '5:market', '8:shard', '11:process']);
  });

  test('one instrument alone never restarts its shard', () => {
    let state = CALM;
    for (let n = 0; n < 100; n += 1) {
      const step = escalate(state, defect(1), n, ladder);
      state = step.state;
      expect(step.restart).toBeNull();
    }
  });
});
