// How long a restart takes that finds 50,000 instruments stored: the state of one that has seen a day of a
// real recording, under as many ids, for enrichment, aggregation and data quality; then the process is
// started on that log, until it says that it is ready. Embedded, and on a Kafka where there can be one.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { aggregationStage } from '../../actors/aggregate.ts';
import { assessmentStage } from '../../actors/assess.ts';
import { keyHash } from '../../actors/domain/murmur2.ts';
import type { Tick } from '../../actors/domain/wire.ts';
import { enrichmentStage } from '../../actors/enrich.ts';
import type { Stage } from '../../actors/stage.ts';
import { openEmbeddedLog } from '../../runtime/log/embedded.ts';
import { openKafkaLog } from '../../runtime/log/kafka.ts';
import type { Log, Member } from '../../runtime/log/log.ts';
import { type GroupName, TOPIC, topicSpecs } from '../../runtime/services.ts';
import { kafkaMissing, startKafka } from '../support/kafka.ts';
import { kafkaOptions } from '../support/kafka-log.ts';
import { Product, temporaryDirectory } from '../support/product.ts';
import { sampleTicks, testOptions } from '../support/sample-ticks.ts';
import { recordsOf } from '../support/wire-ticks.ts';
import { cpuMs } from './inspection.ts';

const INSTRUMENTS = 50_000;
const PARTITIONS = 8;
const PER_COMMIT = 1_000;

export async function restore(): Promise<void> {
  using dir = temporaryDirectory();
  console.log('  embedded log');
  await restored(openEmbeddedLog({ dir: join(dir.path, 'data', 'log'), nowMs: Date.now }), dir.path, {});
  const missing = kafkaMissing();
  if (missing !== null) return console.log(`  Kafka: ${missing}`);
  console.log('  Kafka, one broker');
  using other = temporaryDirectory();
  const server = await startKafka({ nodes: 1 });
  try {
    const log = openKafkaLog(kafkaOptions(server.brokers, { worker: 'stores' }));
    await restored(log, other.path, { KAFKA_BROKERS: server.brokers });
  } finally {
    await server.stop();
  }
}

/** Fills the log, closes it, and starts the product on it. */
async function restored(log: Log, dir: string, env: Readonly<Record<string, string>>): Promise<void> {
  await log.bootstrap(topicSpecs(['CAISO', 'MISO'], PARTITIONS, 7 * 24 * 3_600_000));
  const day = await oneDay();
  const { enrichment, aggregation, assessment } = testOptions();
  const bytes = [
    await store(log, 'enrichment-service', TOPIC.ticks, enrichmentStage(enrichment), day),
    await store(log, 'data-quality-service', TOPIC.ticks, assessmentStage(assessment), day),
    await store(log, 'aggregation-service', TOPIC.enriched, aggregationStage(aggregation), day),
  ];
  await log.close();
  const megabytes = (bytes.reduce((sum, each) => sum + each, 0) / 2 ** 20).toFixed(0);
  console.log(`    ${INSTRUMENTS} instruments, ${day.length} ticks each: ${megabytes} MB of state`);
  const sinceMs = performance.now();
  await using product = new Product({ dir, env });
  const { instruments } = await product.ready();
  if (instruments !== INSTRUMENTS) throw new Error(`${instruments} instruments were found`);
  const seconds = (ms: number): string => (ms / 1_000).toFixed(2);
  const spent = seconds(cpuMs(product.pid));
  console.log(`    ${seconds(performance.now() - sinceMs)} s  until all of it is ready (${spent} s of CPU)`);
  console.log(`    ${(peakBytes(product.pid) / 2 ** 20).toFixed(0)} MB  of memory at most`);
}

/** Most that the process ever held, from /proc. */
function peakBytes(pid: number): number {
  const [, kilobytes = 0] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1_024;
}

/** The ticks of one hub. */
async function oneDay(): Promise<Tick[]> {
  const found: Tick[] = [];
  for await (const tick of sampleTicks()) {
    if (tick.instrument_id === (found[0]?.instrument_id ?? tick.instrument_id)) found.push(tick);
  }
  return found;
}

/** Who commits must have read what is there, which is nothing. */
async function empty(member: Member, topic: string): Promise<void> {
  await new Promise<void>((done) => member.assigned(() => done()));
  for (let partition = 0; partition < PARTITIONS; partition += 1)
    for await (const [key] of member.state({ topic, partition })) throw new Error(`${key} was there before`);
}

/** The state of that hub under many ids, as commits of the group would have left it. Returns its bytes. */
async function store<State>(
  log: Log,
  group: GroupName,
  topic: string,
  stage: Stage<State>,
  day: readonly Tick[],
): Promise<number> {
  const id = day[0]?.instrument_id ?? '';
  const initial = stage.initial(id);
  const { state: folded } = stage.process(initial, recordsOf(day, 0), { nowMs: Date.now() });
  const stored = stage.store(initial, folded);
  const member = await log.join(group, [topic]);
  await empty(member, topic);
  let bytes = 0;
  for (let from = 0; from < INSTRUMENTS; from += PER_COMMIT) {
    const byPartition = new Map<number, { key: string; value: Uint8Array }[]>();
    for (let n = from; n < from + PER_COMMIT; n += 1) {
      const other = `${id}_${n}`;
      const partition = keyHash(other) % PARTITIONS;
      const changes = byPartition.get(partition) ?? [];
      byPartition.set(partition, changes);
      for (const { part, bytes: value } of stored)
        if (value !== null) changes.push({ key: `i:${other}\u0000${part}`, value });
    }
    for (const [partition, state] of byPartition) {
      bytes += state.reduce((sum, { value }) => sum + value.length, 0);
      const outcome = await member.commit({ topic, partition }, { outputs: [], state, nextOffset: 0 });
      if (outcome !== 'committed') throw new Error(`${group} ${partition}: ${outcome}`);
    }
  }
  await member.leave();
  return bytes;
}
