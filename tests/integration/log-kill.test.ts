// SIGKILL in the middle of commits, twenty times over one directory: what was acknowledged is there, and what
// is there is whole: outputs, state and position of the same records.

import { expect, test } from 'bun:test';
import { join } from 'node:path';
import { openEmbeddedLog } from '../../runtime/log/embedded.ts';
import type { Log } from '../../runtime/log/log.ts';
import { everything } from '../conformance/log-reader.ts';
import { spec } from '../conformance/log-rig.ts';
import { temporaryDirs } from '../support/temporary.ts';

const newDir = temporaryDirs('carbon-kill');
const RECORDS = 20_000;
const KILLS = 20;
const INPUT = { topic: 'input', partition: 0 };

const numberAt = (offset: number): number => (offset * 7_919) % 1_000;

/** Ends the committer at a point of its output that the round decides; the last offset it acknowledged. */
async function killed(dir: string, round: number): Promise<number> {
  const script = join(import.meta.dir, 'log-committer.ts');
  const child = Bun.spawn([process.execPath, script, dir], { stdout: 'pipe', stderr: 'inherit' });
  const acksMax = 1 + ((round * 37) % 60);
  let acks = 0;
  let acknowledged = 0;
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    const lines = (rest + decoder.decode(chunk)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      expect(line).not.toBe('done');
      const [word, offset] = line.split(' ');
      acknowledged = Math.max(acknowledged, Number(offset));
      if (word === 'acked') acks += 1;
    }
    if (acks >= acksMax) child.kill('SIGKILL');
  }
  await child.exited;
  expect(child.signalCode).toBe('SIGKILL');
  return acknowledged;
}

/** Checks that outputs, state and position tell of the same records; returns the position. */
async function whole(log: Log): Promise<number> {
  const member = await log.join('group', ['input']);
  const position = await member.committed(INPUT);
  const outputs: number[] = [];
  for (const topic of ['output-0', 'output-1']) {
    for (const { key, value } of await everything(log, { topic, partition: 0 })) {
      expect(value === key.repeat(2_000)).toBe(true);
      outputs.push(Number(key));
    }
  }
  const expected = Array.from({ length: position }, (_, offset) => numberAt(offset));
  expect(outputs.sort((a, b) => a - b)).toEqual([...expected].sort((a, b) => a - b));
  let sum = 0;
  for await (const [, value] of member.state(INPUT)) sum = Number(new TextDecoder().decode(value));
  expect(sum).toBe(expected.reduce((a, b) => a + b, 0));
  return position;
}

test(`${KILLS} kills lose nothing acknowledged and leave nothing half`, async () => {
  const dir = newDir();
  const first = openEmbeddedLog({ dir, nowMs: () => 0 });
  await first.bootstrap([spec('input', 1), spec('output-0', 1), spec('output-1', 1)]);
  const values = Array.from({ length: RECORDS }, (_, offset) => String(numberAt(offset)));
  await first.append(
    'writer',
    values.map((value) => ({ ...INPUT, key: 'k', value })),
    [],
  );
  await first.close();
  let before = 0;
  let unacknowledged = 0;
  for (let round = 0; round < KILLS; round += 1) {
    const acknowledged = await killed(dir, round);
    const log = openEmbeddedLog({ dir, nowMs: () => 0 });
    const position = await whole(log);
    await log.close();
    expect(acknowledged).toBeGreaterThan(before);
    expect(position).toBeGreaterThanOrEqual(acknowledged);
    if (position > acknowledged) unacknowledged += 1;
    before = position;
  }
  // Kills fell between a commit and its acknowledgement as well, so they do hit commits.
  console.log(`${unacknowledged} of ${KILLS} kills came between a commit and its acknowledgement`);
}, 120_000);
