// One request per interval and host: within a process over a virtual clock, and over four real processes
// against a stand-in that keeps when each request arrived.

import { expect, test } from 'bun:test';
import { chmodSync, existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { machineClock } from '../../../../runtime/clock.ts';
import { hostLimiter, type Limiter, LimiterFault } from '../../../../runtime/live/host-limiter.ts';
import { World } from '../../../simulation/world.ts';
import { operatorCertificates } from '../../../support/operators/certificates.ts';
import { standIn } from '../../../support/operators/stand-in.ts';
import { temporaryDirs } from '../../../support/temporary.ts';
import { until } from '../../../support/until.ts';

const HOST = 'oasis.example';
const never = new AbortController().signal;
const directory = temporaryDirs('carbon-turns');
const CLIENT = join(import.meta.dir, '../../../support/operators/client.ts');

/** Runs a world until `count` turns were granted; when each was. */
async function granted(
  world: World,
  limiter: Limiter,
  intervalMs: number,
  starts: readonly number[],
): Promise<number[]> {
  const found: number[] = [];
  for (const delayMs of starts) {
    world.clock.after(delayMs, () => {
      void limiter.turn(HOST, intervalMs, never).then(() => found.push(world.clock.nowMs()));
    });
  }
  for (let n = 0; n < 5_000 && found.length < starts.length; n += 1) await world.step();
  return found;
}

function leastGap(times: readonly number[]): number {
  const sorted = [...times].sort((a, b) => a - b);
  return Math.min(...sorted.slice(1).map((at, n) => at - (sorted[n] ?? 0)));
}

test('however many wait and whenever they come, no two turns are closer than the interval', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(1_000_000),
      fc.integer({ min: 20, max: 9_000 }),
      fc.array(fc.nat(60_000), { minLength: 2, maxLength: 30 }),
      async (seed, intervalMs, starts) => {
        const world = new World(seed, 1_000_000);
        const found = await granted(world, hostLimiter(directory(), world.clock), intervalMs, starts);
        expect(found).toHaveLength(starts.length);
        expect(leastGap(found)).toBeGreaterThanOrEqual(intervalMs);
      },
    ),
    { numRuns: 40 },
  );
});

test('many at once: those who come while they wait get none of their turns', async () => {
  const world = new World(1, 1_000_000);
  const limiter = hostLimiter(directory(), world.clock);
  const starts = [
    ...Array.from({ length: 25 }, () => 0),
    ...Array.from({ length: 10 }, (_, n) => 1 + 6_000 * n),
  ];
  const found = await granted(world, limiter, 5_000, starts);
  expect(new Set(found).size).toBe(35);
  expect(leastGap(found)).toBeGreaterThanOrEqual(5_000);
});

test('a host that is held is asked by nobody until then, another host is', async () => {
  const world = new World(2, 1_000_000);
  const dir = directory();
  hostLimiter(dir, world.clock).hold(HOST, 60_000);
  const [first = 0] = await granted(world, hostLimiter(dir, world.clock), 5_000, [0]);
  expect(first).toBeGreaterThanOrEqual(1_060_000);
  const other = hostLimiter(dir, world.clock);
  const before = world.clock.nowMs();
  const turned: number[] = [];
  void other.turn('other.example', 5_000, never).then(() => turned.push(world.clock.nowMs()));
  for (let n = 0; n < 100 && turned.length === 0; n += 1) await world.step();
  expect((turned[0] ?? 0) - before).toBeLessThan(7_000);
});

test('a hold is an hour at most, and one of another clock is none', async () => {
  const world = new World(3, 1_000_000);
  const dir = directory();
  const limiter = hostLimiter(dir, world.clock);
  limiter.hold(HOST, 9_000_000_000);
  const [first = 0] = await granted(world, limiter, 5_000, [0]);
  expect(first - 1_000_000).toBeLessThan(3_610_000);
  writeFileSync(join(dir, HOST, 'hold'), String(Date.now()));
  const [second = 0] = await granted(world, limiter, 5_000, [0]);
  expect(second - first).toBeLessThan(20_000);
});

test('who stops while it waits gives its place back', async () => {
  const world = new World(4, 1_000_000);
  const dir = directory();
  const limiter = hostLimiter(dir, world.clock);
  const stop = new AbortController();
  await granted(world, limiter, 5_000, [0]);
  const waiting = limiter.turn(HOST, 5_000, stop.signal);
  const held = readdirSync(join(dir, HOST)).length;
  stop.abort(new Error('the process drains'));
  await expect(waiting).rejects.toThrow('the process drains');
  expect(readdirSync(join(dir, HOST))).toHaveLength(held - 1);
});

test('what cannot be written is said, with the place and what to do', async () => {
  const dir = join(directory(), 'turns');
  writeFileSync(dir, 'a file stands where the directory should be');
  const limiter = hostLimiter(dir, machineClock);
  for (const thrown of [await limiter.turn(HOST, 10, never).catch((error: unknown) => error), held()]) {
    if (!(thrown instanceof LimiterFault)) throw thrown;
    expect(thrown.message).toStartWith(`nothing is asked: the turns of this machine's processes cannot be`);
    expect(thrown.message).toMatch(new RegExp(`${dir}.*\\((EEXIST|ENOTDIR)\\); make it writable.*TMPDIR`));
  }
  function held(): unknown {
    try {
      return limiter.hold(HOST, 10);
    } catch (error) {
      return error;
    }
  }
});

test('directories are made for every user of the machine, whatever the umask', async () => {
  const dir = join(directory(), 'turns');
  const umask = process.umask(0o077);
  try {
    await hostLimiter(dir, machineClock).turn(HOST, 10, never);
  } finally {
    process.umask(umask);
  }
  for (const path of [dir, join(dir, HOST)]) expect(statSync(path).mode & 0o777).toBe(0o777);
  // One that was there is left as it is.
  chmodSync(dir, 0o700);
  await hostLimiter(dir, machineClock).turn(HOST, 10, never);
  expect(statSync(dir).mode & 0o777).toBe(0o700);
});

test('the clock of the turns is one for all processes, and not the wall clock', () => {
  const before = machineClock.nowMs();
  const path = join(import.meta.dir, '../../../../runtime/clock.ts');
  const script = `import { machineClock } from ${JSON.stringify(path)}; console.log(machineClock.nowMs());`;
  const theirs = Number(Bun.spawnSync(['bun', '-e', script]).stdout.toString());
  expect(theirs).toBeGreaterThanOrEqual(before);
  expect(theirs).toBeLessThanOrEqual(machineClock.nowMs());
  if (existsSync('/proc/uptime')) expect(machineClock.nowMs()).toBeLessThan(Date.now() / 2);
});

test('four processes and one killed with turns in hand: no two turns are too close', async () => {
  const intervalMs = 1_200;
  const certificates = operatorCertificates(HOST);
  const ca = join(directory(), 'ca.pem');
  writeFileSync(ca, certificates.ca);
  await using server = await standIn(certificates.of.good, () => ({
    status: 200,
    headers: {},
    body: new Uint8Array([1]),
  }));
  const dir = directory();
  const start = (requests: number) =>
    Bun.spawn(['bun', CLIENT, dir, String(server.port), String(intervalMs), String(requests), ca], {
      stdout: 'pipe',
      stderr: 'inherit',
    });
  // It claims three turns and is killed while it waits for them.
  const killed = start(0);
  await until('three turns claimed', () => {
    const path = join(dir, HOST);
    return existsSync(path) && readdirSync(path).length >= 3;
  });
  killed.kill('SIGKILL');
  await killed.exited;
  const running = [2, 2, 3, 2].map(start);
  const said = await Promise.all(running.map((each) => new Response(each.stdout).text()));
  const lines = said.map((text) => text.trimEnd().split('\n'));
  expect(lines.map((each) => [each[0], each.at(-1)])).toEqual(running.map(() => ['ready', 'done']));
  const turns = lines.flat().flatMap((line) => (line.startsWith('turn ') ? [Number(line.slice(5))] : []));
  expect(turns).toHaveLength(9);
  expect(leastGap(turns.sort((a, b) => a - b))).toBeGreaterThanOrEqual(intervalMs);
  expect(new Set(server.asked.map(({ url }) => url.pathname)).size).toBe(4);
  expect(server.asked).toHaveLength(9);
  // A request may take its time on the way; the next one may not.
  expect(leastGap(server.asked.map(({ atMs }) => atMs))).toBeGreaterThanOrEqual(intervalMs / 2);
}, 240_000);
