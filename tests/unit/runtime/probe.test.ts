// A probe tells a server that is busy from one that is away: by answers, and by a clock of the test.

import { expect, test } from 'bun:test';
import type { Clock } from '../../../runtime/host.ts';
import { Probe } from '../../../runtime/probe.ts';

const TARGET = 'b:9092';

function probeOf(name: string, ask: () => Promise<string | null>, clock: Clock): Probe {
  return new Probe({ name, target: TARGET, well: 'up', ask }, clock);
}

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
  const probe = probeOf('Kafka at b:9092', () => new Promise((done) => asked.push(done)), clock);
  const late = () => {
    const found = probe.look();
    pass(2_000);
    return found;
  };
  const answered = (answer: string | null) => {
    const found = probe.look();
    asked.at(-1)?.(answer);
    return found;
  };
  /** To what was asked last; resolves when it is heard. */
  const answers = (answer: string | null): Promise<void> => {
    asked.at(-1)?.(answer);
    return Bun.sleep(0);
  };
  return { probe, pass, late, answered, answers, timers, asked };
}

const CAUSE = 'Kafka at b:9092: no answer within 2000 ms';
const LATE = { status: 'degraded', target: TARGET, cause: CAUSE } as const;
const AWAY = { status: 'down', target: TARGET, cause: CAUSE } as const;

test('an answer is believed at once, whether it is good or bad', async () => {
  const { answered, timers } = rig();
  expect(await answered(null)).toEqual({ status: 'up', target: TARGET, cause: null });
  expect(await answered('refused')).toEqual({ status: 'down', target: TARGET, cause: 'refused' });
  expect(await answered(null)).toEqual({ status: 'up', target: TARGET, cause: null });
  expect(timers.size).toBe(0);
});

test('silence is degraded until it has lasted ten seconds, and is one question', async () => {
  const { late, pass, asked } = rig();
  expect(await late()).toEqual(LATE);
  pass(6_000);
  expect(await late()).toEqual(LATE);
  expect(await late()).toEqual(AWAY);
  expect(asked).toHaveLength(1);
});

test('an answer between two looks ends the silence, however late it comes', async () => {
  const { late, answers, pass } = rig();
  await late();
  pass(1_000);
  await answers(null);
  pass(60_000);
  expect(await late()).toEqual(LATE);
});

test('a question that was given up has not been answered', async () => {
  const { late, answers, pass } = rig();
  await late();
  pass(3_000);
  await answers('timed out');
  expect(await late()).toEqual(LATE);
  pass(55_000);
  expect(await late()).toEqual(AWAY);
});

test('who waits for a question that is given up hears why, and that it is late', async () => {
  const { probe, late, answers } = rig();
  await late();
  const found = probe.look();
  await answers('timed out');
  expect(await found).toEqual({ status: 'degraded', target: TARGET, cause: 'timed out' });
});

test('an answer that waits to be read while the process stands still is read', async () => {
  const { probe, pass, asked } = rig();
  const found = probe.look();
  setImmediate(() => asked.at(-1)?.(null));
  pass(5_000);
  expect((await found).status).toBe('up');
});

test('whatever asking throws is a cause', async () => {
  const clock = { nowMs: () => 0, after: () => () => {} };
  const probe = probeOf('x', () => Promise.reject(new Error('no such host')), clock);
  expect(await probe.look()).toEqual({ status: 'down', target: TARGET, cause: 'no such host' });
});
