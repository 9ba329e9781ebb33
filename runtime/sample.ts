// The recorded sample at a start: replayed once, with progress, and at the end a word on how to go on. A
// restart resumes it; when all of it is on the log, nothing is repeated. The process idles afterwards.

import type { Clock } from './host.ts';
import type { Pipeline } from './pipeline.ts';
import { sampleResponses } from './recordings.ts';
import { number, type Voice } from './terminal.ts';
import type { ServiceName } from './views.ts';

export interface SampleParts {
  readonly pipeline: Pipeline;
  readonly clock: Clock;
  readonly tenantId: string;
  /** Address of a service's port; null when it is not hosted here. */
  readonly urlOf: (service: ServiceName) => string | null;
  readonly voice: Voice;
  readonly stop: AbortSignal;
}

/** Resolves when the sample is in ClickHouse and said to be, or at a stop. */
export async function takeSample(parts: SampleParts): Promise<void> {
  const { pipeline, voice, stop } = parts;
  let fresh = 0;
  const reported = reportProgress(parts);
  await pipeline.replay({
    name: 'sample',
    responses: sampleResponses(parts.tenantId),
    speed: null,
    responseDone: (_, isFresh) => {
      if (isFresh) fresh += 1;
    },
  });
  await pipeline.caughtUp(stop);
  await reported();
  if (stop.aborted) return;
  const { message, fields } = await summary(pipeline, fresh);
  const next = howToGoOn(parts.urlOf);
  voice.say('sample_in', message, { lines: next, fields: { ...fields, next } });
}

/** Shows progress while there is any; the returned function ends it. */
function reportProgress({ pipeline, clock, voice, stop }: SampleParts): () => Promise<void> {
  let over = false;
  const run = async (): Promise<void> => {
    while (!over && !stop.aborted) {
      const { meter } = pipeline;
      if (meter.extracted > 0) voice.progress(meter, await pipeline.lag());
      await new Promise<void>((done) => clock.after(voice.progressMs, done));
    }
  };
  const running = run();
  return async () => {
    over = true;
    voice.quiet();
    if (stop.aborted) await running;
  };
}

async function summary(pipeline: Pipeline, fresh: number) {
  // Where other processes have partitions too, this one has a part of the books, which cannot balance.
  const balanced = (await pipeline.ownsAll()) ? (await pipeline.audit()).balanced : null;
  const ticks = sum([...(await pipeline.ledger('enrichment-service')).values()].map((each) => each.read));
  const bars = sum(
    [...(await pipeline.ledger('aggregation-service')).values()].map((of) => of.emitted.bars ?? 0),
  );
  const what = fresh > 0 ? 'The recorded sample is in' : 'The sample was in before, nothing was repeated';
  const counts = `${number(ticks)} ticks and ${number(bars)} bar updates so far`;
  const holds =
    balanced === null ? 'other processes have a part of them' : balanced ? 'conservation holds' : UNBALANCED;
  return { message: `${what}: ${counts}; ${holds}.`, fields: { fresh, ticks, bars, balanced } };
}

const UNBALANCED = 'CONSERVATION DOES NOT HOLD: GET /info';

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

function howToGoOn(urlOf: SampleParts['urlOf']): string[] {
  const lines: string[] = [];
  const aggregation = urlOf('aggregation');
  const projection = urlOf('projection');
  if (aggregation !== null) {
    lines.push(`Look inside:  curl ${aggregation}/actors/CAISO`);
    lines.push(`              curl ${aggregation}/events`);
  }
  if (projection !== null) {
    lines.push(`Query:        curl '${projection}/query/ohlc?market=CAISO&limit=5'`);
  }
  lines.push(
    'Your own recordings:  stop this (Ctrl-C), then bun run replay <files or folders> --data <DATA_DIR>',
  );
  lines.push('Live feeds:           stop this, then CONNECTORS=caiso,miso bun run start');
  return lines;
}
