// A probe tells a server that is busy from one that is away: by answers, and by a clock of the test.

import { expect, test } from 'bun:test';
import { Probe } from '../../../runtime/probe.ts';

/** A clock that moves when it is told to, and a server that answers when it is told to. */
function rig() {
  let nowMs = 1_000_000;
  const timers = new Map<() => void, number>();
  const asked: ((answer: string | null) => void)[] = [];
  const clock = {
    nowMs: () => nowMs,
    after(delayMs: number, action: () => void) {
      timers.set(action, nowMs + delayMs);
      return () => void timers.delete(action);
    },
  };
  const pass = (ms: number): void => {
    nowMs += ms;
    for (const [action, atMs] of timers) if (atMs <= nowMs) action();
  };
  const probe = new Probe('Kafka at b:9092', () => new Promise((done) => asked.push(done)), clock);
  const late = async () => {
    const found = probe.look();
    pass(2_000);
    return found;
  };
  const answered = async (answer: string | null) => {
    const found = probe.look();
    asked.at(-1)?.(answer);
    return found;
  };
  return { probe, pass, late, answered, timers };
}

const LATE = 'Kafka at b:9092: no answer within 2000 ms';

test('an answer is believed at once, whether it is good or bad', async () => {
  const { answered, timers } = rig();
  expect(await answered(null)).toEqual({ status: 'up', cause: null });
  expect(await answered('refused')).toEqual({ status: 'down', cause: 'refused' });
  expect(await answered(null)).toEqual({ status: 'up', cause: null });
  expect(timers.size).toBe(0);
});

test('silence is degraded until it has lasted ten seconds', async () => {
  const { late, pass } = rig();
  expect(await late()).toEqual({ status: 'degraded', cause: LATE });
  pass(6_000);
  expect(await late()).toEqual({ status: 'degraded', cause: LATE });
  expect(await late()).toEqual({ status: 'down', cause: LATE });
});

test('an answer in between begins the ten seconds anew', async () => {
  const { late, answered, pass } = rig();
  await late();
  pass(9_000);
  expect((await answered(null)).status).toBe('up');
  expect((await late()).status).toBe('degraded');
});

test('whatever asking throws is a cause', async () => {
  const clock = { nowMs: () => 0, after: () => () => {} };
  const probe = new Probe('x', () => Promise.reject(new Error('no such host')), clock);
  expect(await probe.look()).toEqual({ status: 'down', cause: 'no such host' });
});
