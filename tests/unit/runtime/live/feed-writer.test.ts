// A stop between an answer and the log: what is being written is waited for, what waits for room is given up.

import { expect, test } from 'bun:test';
import { emptyCoverage } from '../../../../actors/live/coverage.ts';
import type { AppendEffect } from '../../../../actors/live/feed-actor.ts';
import type { WindowState } from '../../../../actors/live/plan.ts';
import { FeedWriter } from '../../../../runtime/live/feed-writer.ts';
import { rawRecord } from '../../../support/wire-records.ts';

const window: WindowState = {
  endMs: 0,
  coverage: emptyCoverage(24),
  attempts: 0,
  failures: 0,
  notBeforeMs: 0,
  late: null,
  unsettled: false,
  concludedMs: 0,
  freshMs: 0,
  askedMs: 0,
  lookedMs: 0,
  corrections: 0,
  outcome: null,
};
const effect: AppendEffect = {
  kind: 'append',
  records: [rawRecord({})],
  windowId: '2026-11-01',
  window,
  ledger: { rowsRead: 1, rowsUsed: 1, rowsRefused: 0, appended: 1 },
  run: null,
  tidied: new Map(),
};

function outlet() {
  const room = Promise.withResolvers<void>();
  const written = Promise.withResolvers<void>();
  const stop = new AbortController();
  const keys: string[] = [];
  const found = { keys, extracted: 0 };
  const writer = new FeedWriter(
    {
      room: () => room.promise,
      extracted: (_, records) => {
        found.extracted += records;
      },
      log: {
        append: (name, outputs, state) => {
          found.keys.push(name, ...outputs.map(({ topic }) => topic), ...state.map(({ key }) => key));
          return written.promise;
        },
      },
    },
    'connectors/caiso',
    'caiso/dam',
    'CAISO',
    stop.signal,
  );
  return { writer, room, written, stop, found };
}

/** Whether it is over by the time that everything else had its say. */
async function isOver(promise: Promise<unknown>): Promise<boolean> {
  const over = promise.then(
    () => true,
    () => true,
  );
  return Promise.race([over, new Promise<boolean>((done) => setImmediate(() => done(false)))]);
}

test('an answer that waits for room is given up, and nothing of it is on the log', async () => {
  const { writer, room, stop, found } = outlet();
  const appending = writer.append(effect);
  expect(await isOver(appending)).toBe(false);
  stop.abort(new Error('the process drains'));
  expect(await isOver(writer.idle())).toBe(true);
  room.resolve();
  expect(appending).rejects.toThrow('the process drains');
  expect(await isOver(appending)).toBe(true);
  expect(found).toEqual({ keys: [], extracted: 0 });
});

test('what is being written is waited for, all of it in one transaction', async () => {
  const { writer, room, written, stop, found } = outlet();
  const appending = writer.append(effect);
  room.resolve();
  expect(await isOver(appending)).toBe(false);
  stop.abort(new Error('the process drains'));
  expect(await isOver(writer.idle())).toBe(false);
  written.resolve();
  await writer.idle();
  await appending;
  expect(found).toEqual({
    keys: [
      'connectors/caiso',
      'ingestion.caiso.raw.v1',
      'window:caiso/dam:2026-11-01',
      'response:live:caiso/dam',
    ],
    extracted: 1,
  });
});

test('a log that refuses is told, and holds up no stop', async () => {
  const { writer, room, written } = outlet();
  room.resolve();
  const appending = writer.append(effect);
  written.reject(new Error('the disk is full'));
  expect(appending).rejects.toThrow('the disk is full');
  await writer.idle();
});
