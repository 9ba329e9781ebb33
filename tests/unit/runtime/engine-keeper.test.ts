// The keeper of the engine, on a clock of its own and engines that end when told: backoff that grows while
// starts do not last, the same ports again, and a stop that leaves none behind.

import { expect, test } from 'bun:test';
import { type Engine, EngineKeeper } from '../../../runtime/engine-keeper.ts';

interface Started extends Engine {
  end(): void;
  stopped: boolean;
}

class World {
  nowMs = 0;
  readonly engines: Started[] = [];
  readonly asked: (readonly [number, number])[] = [];
  readonly delays: number[] = [];
  readonly said: string[] = [];
  fails = 0;
  #due: (() => void) | null = null;
  readonly keeper: EngineKeeper;

  constructor() {
    const after = (delayMs: number, action: () => void) => {
      this.delays.push(delayMs);
      this.#due = () => {
        this.nowMs += delayMs;
        action();
      };
      return () => {};
    };
    this.keeper = new EngineKeeper(
      {
        clock: { nowMs: () => this.nowMs, after },
        draw: () => 0.5,
        record: ({ kind, cause }) => this.said.push(`${kind}: ${cause}`),
        start: async (httpPort, tcpPort) => this.#start(httpPort, tcpPort),
      },
      { initialMs: 100, maxMs: 1_000, jitter: 0.2 },
    );
  }

  get last(): Started {
    const engine = this.engines.at(-1);
    if (engine === undefined) throw new Error('none was started');
    return engine;
  }

  /** Lets the timer that is set ring, and everything that follows from it happen. */
  async ring(): Promise<void> {
    this.#due?.();
    this.#due = null;
    await settle();
  }

  async end(): Promise<void> {
    this.last.end();
    await settle();
  }

  #start(httpPort: number, tcpPort: number): Engine {
    this.asked.push([httpPort, tcpPort]);
    if (this.fails > 0) {
      this.fails -= 1;
      throw new Error('no room');
    }
    const exited = Promise.withResolvers<number>();
    const engine: Started = {
      url: 'http://engine',
      httpPort: 8_123,
      tcpPort: 9_000,
      pid: this.engines.length + 1,
      exited: exited.promise,
      stopped: false,
      end: () => exited.resolve(137),
      async stop() {
        engine.stopped = true;
        exited.resolve(0);
      },
    };
    this.engines.push(engine);
    return engine;
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

test('an engine that ended is started again on its own ports, and is down until then', async () => {
  const world = new World();
  await world.keeper.start(0, 0);
  expect(world.keeper.engine?.pid).toBe(1);
  await world.end();
  expect(world.keeper.engine).toBeNull();
  await world.ring();
  expect(world.keeper.engine?.pid).toBe(2);
  expect(world.asked).toEqual([
    [0, 0],
    [8_123, 9_000],
  ]);
  expect(world.said).toEqual([
    'dependency_up: engine process 1',
    'dependency_down: the engine process ended',
    'dependency_up: engine process 2',
  ]);
});

test('the delay doubles while starts fail or do not last, and begins anew after one that did', async () => {
  const world = new World();
  await world.keeper.start(0, 0);
  world.fails = 2;
  await world.end();
  for (let n = 0; n < 3; n += 1) await world.ring();
  for (let n = 0; n < 3; n += 1) {
    await world.end();
    await world.ring();
  }
  expect(world.delays).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  world.nowMs += 1_001;
  await world.end();
  expect(world.delays.at(-1)).toBe(100);
});

test('stopped, it starts none, and stops one that was just starting', async () => {
  const world = new World();
  await world.keeper.start(0, 0);
  await world.keeper.stop();
  expect(world.last.stopped).toBe(true);
  expect(world.delays).toEqual([]);

  const late = new World();
  await late.keeper.start(0, 0);
  await late.end();
  const ringing = late.ring();
  const stopping = late.keeper.stop();
  await Promise.all([ringing, stopping]);
  expect(late.engines.map((engine) => engine.stopped)).toEqual([false, true]);
  expect(late.keeper.engine).toBeNull();
});

test('a first start that fails is told to who asked', async () => {
  const world = new World();
  world.fails = 1;
  await expect(world.keeper.start(0, 0)).rejects.toThrow('no room');
  expect(world.delays).toEqual([]);
});
