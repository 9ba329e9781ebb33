// A real Redis of its own for a test file, where the machine has `redis-server`; it can be killed, started
// again on the same port, stopped and continued.

import { afterAll } from 'bun:test';
import { freePorts } from './free-ports.ts';
import { temporaryDirs } from './temporary.ts';
import { until } from './until.ts';

export const REDIS = Bun.which('redis-server');

export interface TestRedis {
  readonly url: string;
  /** One command, its answer as the client gives it. */
  send(command: string, ...words: string[]): Promise<unknown>;
  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void>;
  /** `more`: settings as words of its command line. */
  start(more?: readonly string[]): Promise<void>;
}

/** Call at the top of a test file; nothing runs before `start`. */
export function redisForTests(): TestRedis {
  const redis = redisIn(temporaryDirs('carbon-redis'));
  afterAll(() => redis.signal('SIGKILL'));
  return redis;
}

/** Nothing runs before `start`; whoever calls ends it by SIGKILL. `newDir`: a directory for each start. */
export function redisIn(newDir: () => string): TestRedis {
  const [port] = freePorts(1);
  const url = `redis://127.0.0.1:${port}`;
  let child: Bun.Subprocess | null = null;
  const send = async (command: string, ...words: string[]): Promise<unknown> => {
    const client = new Bun.RedisClient(url, { autoReconnect: false });
    try {
      return await client.send(command, words);
    } finally {
      client.close();
    }
  };
  return {
    url,
    send,
    async signal(signal) {
      child?.kill(signal);
      if (signal === 'SIGKILL') await child?.exited;
    },
    async start(more = []) {
      const own = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', newDir()];
      const words = [...own, ...more];
      child = Bun.spawn([REDIS ?? 'redis-server', ...words], { stdout: 'ignore', stderr: 'ignore' });
      await until('an answer of Redis', () => send('PING').catch(() => null));
    },
  };
}
