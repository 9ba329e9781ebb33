// Three brokers, killed in turn while a group copies one topic to another: each record arrives once and in
// order, and the state counts each once. What the client's own producer does instead stands in
// kafka-ambiguous.test.ts.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { openKafkaLog } from '../../runtime/log/kafka.ts';
import type { Batch, Log, Member, TopicPartition } from '../../runtime/log/log.ts';
import { foreignRead } from '../support/foreign-reader.ts';
import { type KafkaServer, kafkaMissing, startKafka } from '../support/kafka.ts';
import { kafkaOptions } from '../support/kafka-log.ts';
import { until } from '../support/until.ts';

const MINUTES = 60_000;
const KILLS = 3;
const PARTITIONS = 6;
const STEP = 600;
const missing = kafkaMissing();
const decoder = new TextDecoder();

interface Load {
  readonly log: Log;
  readonly server: KafkaServer;
  readonly from: string;
  readonly to: string;
  readonly progress: { fed: number; copied: number };
  readonly stop: AbortController;
}

type Copy = (of: TopicPartition, batch: Batch, done: number) => Promise<boolean>;

/** Feeds numbers, each with a partition of its own, until it is stopped. */
async function feed({ log, from, progress, stop }: Load): Promise<void> {
  while (!stop.signal.aborted) {
    const outputs = Array.from({ length: 60 }, (_, n) => ({
      topic: from,
      key: `k${(progress.fed + n) % PARTITIONS}`,
      value: JSON.stringify({ n: progress.fed + n }),
      partition: (progress.fed + n) % PARTITIONS,
    }));
    await log.append('feeder', outputs, []);
    progress.fed += outputs.length;
    await until('room', () => progress.fed - progress.copied < 2_000, 3 * MINUTES);
  }
}

/** Copies a partition until all that was fed is copied. `copy` says whether the batch is in. */
async function drain(load: Load, member: Member, of: TopicPartition, copy: Copy): Promise<void> {
  let done = 0;
  while (!load.stop.signal.aborted || load.progress.copied < load.progress.fed) {
    const batch = await member.poll(of, 100).catch(() => null);
    if (batch === null) {
      await Bun.sleep(10);
      continue;
    }
    while (!(await copy(of, batch, done))) await Bun.sleep(10);
    done += batch.count;
    load.progress.copied += batch.count;
  }
}

function recordsOf(batch: Batch, to: string) {
  return Array.from({ length: batch.count }, (_, n) => ({
    topic: to,
    key: batch.key(n),
    value: decoder.decode(batch.value(n)),
    partition: batch.partition,
  }));
}

/** Kills the nodes in turn; each time some is copied before, while it is down, and after. */
async function killInTurn({ server, progress }: Load, kills: number, first = 0): Promise<void> {
  const more = async (what: string): Promise<void> => {
    const goal = progress.copied + STEP;
    await until(`${STEP} records ${what}`, () => progress.copied >= goal, 3 * MINUTES);
  };
  for (let n = first; n < first + kills; n += 1) {
    const node = server.nodes[n % server.nodes.length];
    await more(`before kill ${n + 1}`);
    await node?.kill();
    await more(`with node ${n % 3} down`);
    await node?.start();
    await more('with it back');
  }
}

interface Verdict {
  readonly lost: number;
  readonly doubled: number;
  readonly disordered: number;
}

async function judge({ server, to, progress }: Load): Promise<Verdict> {
  const found = (await foreignRead(server, to, undefined, progress.fed)).map(({ partition, value }) => ({
    partition,
    n: Number(value.n),
  }));
  const seen = new Set(found.map((each) => each.n));
  const last = new Map<number, number>();
  let disordered = 0;
  for (const { partition, n } of found) {
    if (n < (last.get(partition) ?? -1)) disordered += 1;
    last.set(partition, n);
  }
  return { lost: progress.fed - seen.size, doubled: found.length - seen.size, disordered };
}

if (missing !== null) describe('three brokers', () => test.skip(missing, () => {}));
else {
  describe('three brokers', () => {
    let server: KafkaServer;
    let log: Log;
    const notes: string[] = [];

    beforeAll(async () => {
      server = await startKafka({ nodes: 3 });
      log = openKafkaLog(kafkaOptions(server.brokers, { note: (cause) => notes.push(cause) }));
    }, 3 * MINUTES);

    afterAll(async () => {
      await log?.close();
      await server?.stop();
    }, MINUTES);

    async function load(name: string): Promise<Load> {
      const [from, to] = [`${name}.in.v1`, `${name}.out.v1`];
      const specs = [from, to].map((topic) => ({ name: topic, partitions: PARTITIONS }));
      await log.bootstrap(specs.map((each) => ({ ...each, retentionMs: null, compacted: false })));
      return { log, server, from, to, progress: { fed: 0, copied: 0 }, stop: new AbortController() };
    }

    async function run(
      of: Load,
      copy: (member: Member) => Copy,
      disturb: () => Promise<void>,
    ): Promise<void> {
      const member = await log.join(of.from, [of.from]);
      const owned = Promise.withResolvers<readonly TopicPartition[]>();
      member.assigned((partitions) => {
        if (partitions.length === PARTITIONS) owned.resolve(partitions);
      });
      const partitions = await owned.promise;
      const copying = partitions.map((each) => drain(of, member, each, copy(member)));
      const feeding = feed(of);
      await disturb();
      of.stop.abort();
      await Promise.all([feeding, ...copying]);
      await member.leave();
    }

    test(
      `killed ${KILLS} times, lose and double nothing`,
      async () => {
        const of = await load('ours');
        const copy =
          (member: Member): Copy =>
          async (at, batch, done) => {
            const state = [{ key: 'count', value: new TextEncoder().encode(String(done + batch.count)) }];
            const commit = { outputs: recordsOf(batch, of.to), state, nextOffset: batch.nextOffset };
            const outcome = await member.commit(at, commit).catch(() => 'failed');
            expect(outcome).not.toBe('fenced');
            return outcome === 'committed';
          };
        await run(of, copy, () => killInTurn(of, KILLS));
        console.log(`${of.progress.fed} records, ${notes.length} faults met`);
        expect(notes.length).toBeGreaterThan(0);
        expect(await judge(of)).toEqual({ lost: 0, doubled: 0, disordered: 0 });
        const again = await log.join(of.from, [of.from]);
        const counts: number[] = [];
        const owned = Promise.withResolvers<readonly TopicPartition[]>();
        again.assigned((partitions) => owned.resolve(partitions));
        for (const at of await owned.promise) {
          for await (const [, value] of again.state(at)) counts.push(Number(decoder.decode(value)));
        }
        expect(counts.reduce((sum, count) => sum + count, 0)).toBe(of.progress.fed);
        await again.leave();
      },
      8 * MINUTES,
    );
  });
}
