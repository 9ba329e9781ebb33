// What enrichment and data quality cost a tick: the recorded sample through each stage as a shard calls it, a
// batch of an instrument at a time, JSON in and out. Prints CPU µs a tick of each pass; the later passes are
// warm, with every instrument known.
//
//   bun tests/benchmarks/enrich-assess.ts [ticks in a batch of one instrument, default 4]

import { assessmentStage } from '../../actors/assess.ts';
import { enrichmentStage } from '../../actors/enrich.ts';
import type { Stage } from '../../actors/stage.ts';
import { sampleTicks, testOptions } from '../support/sample-ticks.ts';

const BATCH = Number(process.argv[2] ?? 4);
const PASSES = 4;
const encoder = new TextEncoder();

function measure<State>(stage: Stage<State>, byInstrument: ReadonlyMap<string, Uint8Array[]>): void {
  const states = new Map<string, State>();
  for (let pass = 1; pass <= PASSES; pass += 1) {
    const before = process.cpuUsage();
    let ticks = 0;
    let bytes = 0;
    for (const [id, values] of byInstrument) {
      let state = states.get(id) ?? stage.initial(id);
      for (let from = 0; from < values.length; from += BATCH) {
        const records = values.slice(from, from + BATCH).map((value, n) => ({ offset: from + n, value }));
        const result = stage.process(state, records, { nowMs: pass * 3_600_000 });
        for (const { value } of result.emissions) if (typeof value === 'string') bytes += value.length;
        for (const part of stage.store(state, result.state)) bytes += part.bytes?.length ?? 0;
        ticks += records.length;
        state = result.state;
      }
      states.set(id, state);
    }
    const { user, system } = process.cpuUsage(before);
    const each = ((user + system) / ticks).toFixed(2);
    console.log(
      `${stage.name.padEnd(14)} pass ${pass}: ${each} µs/tick, ${Math.round(bytes / ticks)} B/tick`,
    );
  }
}

const byInstrument = new Map<string, Uint8Array[]>();
for await (const tick of sampleTicks()) {
  const list = byInstrument.get(tick.instrument_id) ?? [];
  list.push(encoder.encode(JSON.stringify(tick)));
  byInstrument.set(tick.instrument_id, list);
}
const { enrichment, assessment } = testOptions();
measure(enrichmentStage(enrichment), byInstrument);
measure(assessmentStage(assessment), byInstrument);
