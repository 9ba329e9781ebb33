// What must hold of every run, judged from what stands in the log in the end and written without the code
// under test: a naive walk over the records that were fed gives what each topic, dead letter, state and
// counter must be.

import { unsealJson } from '../../actors/domain/sealed.ts';
import { lookAt } from '../../runtime/look.ts';
import { DEAD_LETTERS_RAW, DEAD_LETTERS_TICKS, rawTopic, TOPIC } from '../../runtime/services.ts';
import { type CountedRecord, readIds, type StageName } from './counting-stages.ts';
import type { Run } from './simulated-run.ts';

const decoder = new TextDecoder();

interface Found {
  readonly key: string;
  readonly place: string;
  readonly value: Record<string, unknown>;
}

function* stored({ store }: Run, topic: string): Iterable<Found> {
  for (let partition = 0; partition < store.spec(topic).partitions; partition += 1) {
    for (const [offset, entry] of store.entries({ topic, partition }).entries()) {
      if (entry === null) continue;
      const value: Record<string, unknown> = JSON.parse(decoder.decode(entry.value));
      yield { key: entry.key, place: `${topic}/${partition}/${offset}`, value };
    }
  }
}

/** Ids by instrument, in the order in which they stand. */
function byInstrument(records: Iterable<{ readonly key: string; readonly id: unknown }>): string[] {
  const found = new Map<string, unknown[]>();
  for (const { key, id } of records) found.set(key, [...(found.get(key) ?? []), id]);
  return [...found].map(([key, ids]) => `${key}: ${ids.join(' ')}`).sort();
}

function expected(run: Run, poisons: readonly CountedRecord['poison'][]): string[] {
  const kept = run.records.filter((each) => !poisons.includes(each.poison));
  return byInstrument(kept.map(({ instrument, id }) => ({ key: instrument, id })));
}

interface StageOf {
  readonly stage: StageName;
  readonly group: string;
  readonly input: string;
  readonly output: string;
  /** What has been taken out before and by it. */
  readonly without: readonly CountedRecord['poison'][];
}

const STAGES: readonly StageOf[] = [
  {
    stage: 'enrichment',
    group: 'enrichment-service',
    input: TOPIC.ticks,
    output: TOPIC.enriched,
    without: ['normalize', 'enrichment'],
  },
  {
    stage: 'aggregation',
    group: 'aggregation-service',
    input: TOPIC.enriched,
    output: TOPIC.bars,
    without: ['normalize', 'enrichment', 'aggregation'],
  },
  {
    stage: 'data-quality',
    group: 'data-quality-service',
    input: TOPIC.ticks,
    output: TOPIC.scores,
    without: ['normalize', 'data-quality'],
  },
];

/** Every law that does not hold, in words. */
export function broken(run: Run): string[] {
  return [
    ...same('ticks', idsOn(run, TOPIC.ticks), expected(run, ['normalize'])),
    ...STAGES.flatMap((of) => [...outputs(run, of), ...states(run, of)]),
    ...deadLetters(run),
    ...ledgers(run),
    ...sinks(run),
    ...bounds(run),
  ];
}

function same(what: string, found: unknown, wanted: unknown): string[] {
  const [is, should] = [JSON.stringify(found), JSON.stringify(wanted)];
  return is === should ? [] : [`${what}: is ${is}, should be ${should}`];
}

function idsOn(run: Run, topic: string): string[] {
  return byInstrument([...stored(run, topic)].map(({ key, value }) => ({ key, id: value.id })));
}

/** Each record once, in order, and counted by its stage without a gap. */
function outputs(run: Run, { output, without }: StageOf): string[] {
  const nth = new Map<string, number>();
  const gaps: string[] = [];
  for (const { key, place, value } of stored(run, output)) {
    const next = (nth.get(key) ?? 0) + 1;
    nth.set(key, next);
    if (value.nth !== next) gaps.push(`${place}: is its ${value.nth}, should be its ${next}`);
  }
  return [...same(output, idsOn(run, output), expected(run, without)), ...gaps];
}

/** What is stored, and what the living actors hold. */
function states(run: Run, { stage, group, input, without }: StageOf): string[] {
  const kept: { key: string; id: unknown }[] = [];
  for (let partition = 0; partition < run.store.spec(input).partitions; partition += 1) {
    for (const [key, bytes] of run.store.state(`${group} ${input}/${partition}`)) {
      if (!key.startsWith('i:')) continue;
      const instrument = key.slice(2, key.indexOf('\u0000'));
      for (const id of readIds(bytes)) kept.push({ key: instrument, id });
    }
  }
  const live = new Map<string, string>();
  for (const { alive, platform } of run.processes) {
    if (!alive) continue;
    const { index } = platform.directory;
    for (const id of index.markets().flatMap((market) => index.ids(market))) {
      for (const slot of lookAt(platform.directory, id, 0)?.slots.values() ?? []) {
        const { ids } = slot.inspect();
        if (slot.stage === stage && Array.isArray(ids) && ids.length > 0)
          live.set(id, `${id}: ${ids.join(' ')}`);
      }
    }
  }
  return [
    ...same(`stored state of ${stage}`, byInstrument(kept), expected(run, without)),
    ...same(`live state of ${stage}`, [...live.values()].sort(), expected(run, without)),
  ];
}

/** One for each marked record at the stage that refuses it, and its origin is where the record stands. */
function deadLetters(run: Run): string[] {
  const of = (topic: string, service: string) =>
    [...stored(run, topic)].filter(({ value }) => value.service === service);
  const problems: string[] = [];
  const judge = (topic: string, service: string, input: string, poison: CountedRecord['poison']): void => {
    const refused = [...stored(run, input)].filter(({ value }) => value.poison === poison);
    const origins = of(topic, service).map(({ key }) => key);
    problems.push(
      ...same(`dead letters of ${service}`, origins.sort(), refused.map((each) => each.place).sort()),
    );
  };
  judge(DEAD_LETTERS_RAW, 'normalization-service', rawTopic('X'), 'normalize');
  for (const { group, input, stage } of STAGES) judge(DEAD_LETTERS_TICKS, group, input, stage);
  return problems;
}

/** read = first + revision + duplicate + rejected + parked + forwarded, and read is what stands upstream. */
function ledgers(run: Run): string[] {
  const inputs = [
    ['normalization-service', rawTopic('X')],
    ...STAGES.map(({ group, input }) => [group, input]),
  ];
  return inputs.flatMap(([group = '', input = '']) => {
    const sum = { read: 0, disposed: 0, parked: 0 };
    for (let partition = 0; partition < run.store.spec(input).partitions; partition += 1) {
      const bytes = run.store.state(`${group} ${input}/${partition}`).get('r:ledger');
      const ledger = bytes === undefined ? {} : Object(unsealJson(bytes, [1])).X;
      if (ledger === undefined) continue;
      const {
        read = 0,
        first = 0,
        revision = 0,
        duplicate = 0,
        rejected = 0,
        forwarded = 0,
        parked = 0,
      } = ledger;
      sum.read += read;
      sum.parked += parked;
      sum.disposed += first + revision + duplicate + rejected + forwarded;
    }
    const count = [...stored(run, input)].length;
    return same(`ledger of ${group}`, sum, { read: count, disposed: count, parked: 0 });
  });
}

function sinks(run: Run): string[] {
  return [...run.sink].flatMap(([topic, rows]) => {
    const missing = [...stored(run, topic)].filter(({ value }) => !rows.has(JSON.stringify(value)));
    return same(`rows of ${topic} that the sink lacks`, missing, []);
  });
}

function bounds({ parkedMost, policy, told }: Run): string[] {
  const most = policy.parkedMax + policy.batchRecordsMax;
  const quarantined = told.some((event) => event.kind === 'quarantine');
  return [
    ...(parkedMost <= most ? [] : [`${parkedMost} records were parked, bound ${most}`]),
    ...(parkedMost === 0 || quarantined ? [] : ['records were parked and no event says why']),
  ];
}
