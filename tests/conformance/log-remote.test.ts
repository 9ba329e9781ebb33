// The embedded log as another thread sees it, held to the suite of the port: every call and every answer is a
// message that was copied. And what only this form can do: end while something is under way.

import { deserialize, serialize } from 'bun:jsc';
import { afterEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedLog } from '../../runtime/log/embedded.ts';
import type { Log } from '../../runtime/log/log.ts';
import type { Assigned, LogCall } from '../../runtime/log/log-calls.ts';
import { LogService } from '../../runtime/log/log-service.ts';
import { RemoteLog } from '../../runtime/log/remote-log.ts';
import { type Message, Wire } from '../../runtime/workers/wire.ts';
import { until } from '../support/until.ts';
import { logConformance } from './log.ts';
import { spec } from './log-rig.ts';

interface Remote {
  readonly log: RemoteLog;
  /** The other thread ends without a word. */
  vanish(): Promise<void>;
  close(): Promise<void>;
}

/** Everything is copied as between threads, and arrives in order. */
function remote(log: Log): Remote {
  const service = new LogService(log, (assigned) => there.tell(assigned));
  const there = new Wire<Assigned, LogCall>(
    (message) => {
      const copy: Message<Assigned> = deserialize(serialize(message));
      queueMicrotask(() => here.receive(copy));
    },
    (call, signal) => service.answer(call, signal),
  );
  const here = new Wire<LogCall, Assigned>(
    (message) => {
      const copy: Message<LogCall> = deserialize(serialize(message));
      queueMicrotask(() => there.receive(copy));
    },
    (assigned) => seen.assigned(assigned),
  );
  const seen = new RemoteLog(here);
  const end = (): void => {
    there.end(new Error('gone'));
    here.end(new Error('gone'));
  };
  return {
    log: seen,
    async vanish() {
      end();
      await service.close();
    },
    async close() {
      await seen.close();
      end();
    },
  };
}

logConformance({
  name: 'embedded, from another thread',
  async open() {
    const dir = mkdtempSync(join(tmpdir(), 'carbon-log-'));
    let nowMs = 1_700_000_000_000;
    const options = { dir, nowMs: () => nowMs };
    let log = openEmbeddedLog(options);
    let thread = remote(log);
    return {
      log: thread.log,
      async reopen() {
        await thread.close();
        await log.close();
        log = openEmbeddedLog(options);
        thread = remote(log);
        return thread.log;
      },
      async advance(ms) {
        nowMs += ms;
      },
      async dispose() {
        await thread.close();
        await log.close();
        rmSync(dir, { recursive: true, force: true });
      },
    };
  },
  valueBytes: 900_000,
  valueBytesOver: 8 * 1024 * 1024 + 1,
  markers: 0,
  timeoutMs: 20_000,
});

describe('a thread that vanishes', () => {
  const dir = mkdtempSync(join(tmpdir(), 'carbon-log-'));
  const log = openEmbeddedLog({ dir, nowMs: Date.now });
  afterEach(async () => {
    await log.close();
    rmSync(dir, { recursive: true, force: true });
  });

  test('leaves its partitions to others, and what it had in hand changes nothing', async () => {
    await log.bootstrap([spec('in.v1', 4), spec('out.v1', 1)]);
    await log.append('feeder', [{ topic: 'in.v1', key: 'k', value: 'a', partition: 0 }], []);
    const thread = remote(log);
    const gone = await thread.log.join('g', ['in.v1'], 'w2');
    const of = { topic: 'in.v1', partition: 0 };
    gone.assigned(() => {});
    await Array.fromAsync(gone.state(of));
    const batch = await gone.poll(of, 10);
    expect(batch?.count).toBe(1);
    let owned = 0;
    const left = await log.join('g', ['in.v1'], 'w1');
    left.assigned((partitions) => {
      owned = partitions.length;
    });
    expect(owned).toBe(2);
    const outputs = [{ topic: 'out.v1', key: 'k', value: 'a', partition: 0 }];
    await thread.vanish();
    const late = gone.commit(of, { outputs, state: [], nextOffset: 1 });
    expect(late).rejects.toThrow('gone');
    await until('all four are left', () => owned === 4, 5_000);
    expect(await left.committed(of)).toBe(0);
    expect(await log.end({ topic: 'out.v1', partition: 0 })).toBe(0);
  });
});
