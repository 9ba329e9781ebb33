// What each stage costs a tick, on its own and in one thread: the sample's MISO day (43,128 hourly prices)
// parsed, normalized, enriched, assessed, folded, put on the embedded log, read back and inserted into a real
// ClickHouse engine. The second pass is printed: code is warm then. The pipeline's speed follows from these
// sums; what it adds is scheduling.

import { readFileSync } from 'node:fs';
import { aggregationStage } from '../../actors/aggregate.ts';
import { assessmentStage } from '../../actors/assess.ts';
import { isLines, type Outgoing } from '../../actors/batch.ts';
import { enrichmentStage } from '../../actors/enrich.ts';
import { findFeed } from '../../actors/feeds/markets.ts';
import { normalize } from '../../actors/normalize.ts';
import type { Stage } from '../../actors/stage.ts';
import { openEmbeddedLog } from '../../runtime/log/embedded.ts';
import { sampleResponses } from '../../runtime/recordings.ts';
import { rawTopic, TOPIC, topicSpecs } from '../../runtime/services.ts';
import { clickhouseSink } from '../../sinks/clickhouse.ts';
import { migrate } from '../../sinks/migrations.ts';
import { clientOf, startEngine } from '../support/engine.ts';
import { temporaryDirectory } from '../support/product.ts';
import { testOptions } from '../support/sample-ticks.ts';

const RECORDING = '20110716_da_lmp.csv';
/** Ticks of an instrument in one batch, as they come when a day is replayed at full speed. */
const BATCH = 8;
const INSERT_ROWS = 50_000;
const NOW_MS = 1_795_000_000_000;
const encoder = new TextEncoder();

interface Keyed {
  readonly topic: string;
  readonly key: string;
  readonly value: Outgoing['value'];
}

export async function stages(): Promise<void> {
  for await (const response of sampleResponses('bench')) {
    if (!response.name.includes(RECORDING)) continue;
    const outputs = fold(response, () => {});
    fold(response, report);
    const ticks = outputs.filter(({ topic }) => topic === TOPIC.ticks).length;
    await store(outputs, ticks);
  }
}

function report(what: string, micros: number, ticks: number, note = ''): void {
  console.log(`  ${what.padEnd(24)} ${(micros / ticks).toFixed(1).padStart(6)} µs/tick  ${note}`);
}

type Report = typeof report;

function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Everything up to the log, and what would be put on it. */
function fold(response: Parameters<typeof findFeed>[0], say: Report): Keyed[] {
  const options = testOptions();
  const out: Keyed[] = [];
  let from = cpuMicros();
  const parsed = findFeed(response)?.parse(response).records ?? [];
  for (const each of parsed)
    out.push({ topic: rawTopic(each.market), key: each.delivery_location, value: JSON.stringify(each) });
  say('parse and join', cpuMicros() - from, parsed.length);
  const raw = out.map(({ value }) => encoder.encode(String(value)));
  from = cpuMicros();
  const ticks = new Map<string, Uint8Array[]>();
  for (const value of raw) {
    const result = normalize(value, NOW_MS, options.normalize);
    if (result.kind !== 'tick') continue;
    const text = JSON.stringify(result.tick);
    push(ticks, result.tick.instrument_id, encoder.encode(text));
    out.push({ topic: TOPIC.ticks, key: result.tick.instrument_id, value: text });
  }
  say('normalization', cpuMicros() - from, raw.length);
  const enriched = run(enrichmentStage(options.enrichment), ticks, say);
  out.push(...enriched, ...run(assessmentStage(options.assessment), ticks, say));
  const inputs = new Map<string, Uint8Array[]>();
  for (const { key, value } of enriched) push(inputs, key, encoder.encode(String(value)));
  out.push(...run(aggregationStage(options.aggregation), inputs, say));
  return out;
}

function push(into: Map<string, Uint8Array[]>, key: string, value: Uint8Array): void {
  const found = into.get(key);
  if (found === undefined) into.set(key, [value]);
  else found.push(value);
}

function run<State>(stage: Stage<State>, inputs: ReadonlyMap<string, Uint8Array[]>, say: Report): Keyed[] {
  const out: Keyed[] = [];
  const from = cpuMicros();
  let ticks = 0;
  let records = 0;
  for (const [key, values] of inputs) {
    let state = stage.initial(key);
    for (let at = 0; at < values.length; at += BATCH) {
      const batch = values.slice(at, at + BATCH).map((value, n) => ({ offset: at + n, value }));
      const result = stage.process(state, batch, { nowMs: NOW_MS });
      stage.store(state, result.state);
      state = result.state;
      ticks += batch.length;
      for (const { to, value } of result.emissions) {
        records += isLines(value) ? value.count : 1;
        out.push({ topic: TOPIC[to], key, value });
      }
    }
  }
  say(stage.name, cpuMicros() - from, ticks, `${(records / ticks).toFixed(1)} records a tick`);
  return out;
}

/** The log and the engine, with what the stages gave. */
async function store(outputs: readonly Keyed[], ticks: number): Promise<void> {
  using dir = temporaryDirectory();
  const log = openEmbeddedLog({ dir: `${dir.path}/log`, nowMs: Date.now });
  await log.bootstrap(topicSpecs(['CAISO', 'MISO'], 8, 1e12));
  let from = cpuMicros();
  for (let at = 0; at < outputs.length; at += 10_000)
    await log.append('bench', outputs.slice(at, at + 10_000), []);
  report('log: append', cpuMicros() - from, ticks, 'packing on other threads counted in');
  const engine = await startEngine(`${dir.path}/clickhouse`);
  const clickhouse = clientOf(engine);
  await migrate(clickhouse, null);
  const sink = clickhouseSink(clickhouse);
  const engineFrom = engineMicros(engine.pid);
  from = cpuMicros();
  let rows = 0;
  for (const topic of new Set(outputs.map((each) => each.topic))) {
    for (let partition = 0; partition < 8; partition += 1) {
      for (let offset = 0; ; ) {
        const batch = await log.read({ topic, partition }, offset, INSERT_ROWS);
        if (batch === null) break;
        const { count } = batch;
        const values = () => Array.from({ length: count }, (_, n) => batch.value(n));
        const token = `${topic}/${partition}/${offset}`;
        const lines = () => batch.lines(0, count);
        await sink.write({ topic, count, values, lines, token }, AbortSignal.timeout(60_000));
        offset = batch.nextOffset;
        rows += count;
      }
    }
  }
  report('projection', cpuMicros() - from, ticks, `${(rows / ticks).toFixed(1)} rows a tick`);
  report('ClickHouse engine', engineMicros(engine.pid) - engineFrom, ticks, 'a process of its own');
  await clickhouse.close();
  await engine.stop();
  await log.close();
}

const TICK_MICROS = 10_000;

/** CPU that a process has used, from the kernel's account in hundredths of a second. */
function engineMicros(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * TICK_MICROS;
}
