// Conservation: what was published, what is on each topic and what the groups' ledgers say, by stage, market
// and hour of delivery. A record that is lost, doubled or given two dispositions shows in one of them.

import { unsealJson } from '../../actors/domain/sealed.ts';
import { DEAD_LETTERS_RAW, DEAD_LETTERS_TICKS, rawTopic, TOPIC } from '../../runtime/services.ts';
import type { Row } from './simulated-clickhouse.ts';
import type { Simulation } from './simulation.ts';
import { MARKETS, rawRows, rowsOn, same, stored } from './stored-records.ts';

const HOUR = 3_600_000;

export function conserved(run: Simulation): string[] {
  return [...counts(run), ...hours(run)];
}

/** Records of each market and hour of event time: as many on every topic as were published. */
function hours(run: Simulation): string[] {
  const wanted = new Map<string, number>();
  const hourOf = (market: string, ms: number): string => `${market} ${Math.floor(ms / HOUR) * HOUR}`;
  for (const { market, startMs } of run.plan.sources.published) count(wanted, hourOf(market, startMs));
  const on: readonly (readonly [stage: string, rows: readonly Row[]])[] = [
    ['raw records', rawRows(run)],
    ['ticks', rowsOn(run, TOPIC.ticks)],
    ['enriched ticks', rowsOn(run, TOPIC.enriched)],
    ['ticks in silver', [...run.clickhouse.table(TOPIC.ticks).values()]],
  ];
  return on.flatMap(([stage, rows]) => {
    const found = new Map<string, number>();
    for (const row of rows) count(found, hourOf(String(row.market), Number(row.interval_start) / 1_000));
    // Silver holds a version once, however often it was published.
    const due = stage === 'ticks in silver' ? versionsByHour(run, hourOf) : wanted;
    return [...new Set([...due.keys(), ...found.keys()])].flatMap((hour) =>
      same(`${stage} of ${hour}`, found.get(hour) ?? 0, due.get(hour) ?? 0),
    );
  });
}

function versionsByHour(run: Simulation, hourOf: (market: string, ms: number) => string) {
  const versions = new Map<string, string>();
  for (const { market, run: of, node, startMs, publishedMs, values } of run.plan.sources.published) {
    const prices = Object.values(values).map(Number);
    versions.set([market, of, node, startMs, publishedMs, ...prices].join('|'), hourOf(market, startMs));
  }
  const all = new Map<string, number>();
  for (const hour of versions.values()) count(all, hour);
  return all;
}

function count(all: Map<string, number>, key: string): void {
  all.set(key, (all.get(key) ?? 0) + 1);
}

type Ledger = Readonly<Record<string, number>>;

/** What a group's stored ledgers say of a topic, by market. */
function ledgers({ store }: Simulation, group: string, topic: string): Map<string, Ledger> {
  const sum = new Map<string, Record<string, number>>();
  for (let partition = 0; partition < store.spec(topic).partitions; partition += 1) {
    const bytes = store.state(`${group} ${topic}/${partition}`).get('r:ledger');
    if (bytes === undefined) continue;
    const found: Record<string, Ledger> = Object(unsealJson(bytes, [1]));
    for (const [market, ledger] of Object.entries(found)) {
      const held = sum.get(market) ?? {};
      for (const [name, count] of Object.entries(ledger)) {
        if (typeof count === 'number') held[name] = (held[name] ?? 0) + count;
      }
      sum.set(market, held);
    }
  }
  return sum;
}

/** Conservation, by stage and market: what was published, what is on each topic, what ledgers say. */
function counts(run: Simulation): string[] {
  const { published, poison } = run.plan.sources;
  const problems: string[] = [];
  for (const market of MARKETS) {
    const fed = published.filter((each) => each.market === market).length;
    const odd = poison.filter((each) => each.market === market).length;
    const on = (topic: string): number => {
      let found = 0;
      for (const { key } of stored(run, topic)) if (key.startsWith(`${market}:`)) found += 1;
      return found;
    };
    problems.push(
      ...same(`raw records of ${market}`, [...stored(run, rawTopic(market))].length, fed + odd),
      ...same(`ticks of ${market}`, on(TOPIC.ticks), fed),
      ...same(`enriched ticks of ${market}`, on(TOPIC.enriched), fed),
      ...same(`scores of ${market}`, on(TOPIC.scores), fed),
      ...judged(run, 'normalization-service', rawTopic(market), market, fed + odd, odd),
      ...judged(run, 'enrichment-service', TOPIC.ticks, market, fed, 0),
      ...judged(run, 'data-quality-service', TOPIC.ticks, market, fed, 0),
      ...judged(run, 'aggregation-service', TOPIC.enriched, market, fed, 0),
      ...judged(run, 'projection-service', rawTopic(market), market, fed + odd, 0),
    );
    for (const topic of [TOPIC.ticks, TOPIC.enriched, TOPIC.bars, TOPIC.metrics, TOPIC.curves])
      problems.push(...judged(run, 'projection-service', topic, market, on(topic), 0));
  }
  const refused = rowsOn(run, DEAD_LETTERS_RAW).map(({ original_bytes: bytes }) => Number(bytes));
  return [
    ...problems,
    ...same('sizes of dead letters', refused.sort(), poison.map(({ bytes }) => bytes.length).sort()),
    ...same('dead letters behind normalization', rowsOn(run, DEAD_LETTERS_TICKS), []),
  ];
}

const DISPOSITIONS = ['first', 'revision', 'duplicate', 'rejected', 'forwarded'] as const;

function judged(
  run: Simulation,
  group: string,
  topic: string,
  market: string,
  wanted: number,
  refused: number,
): string[] {
  const ledger = ledgers(run, group, topic).get(market) ?? {};
  const of = (name: string): number => ledger[name] ?? 0;
  const disposed = DISPOSITIONS.reduce((sum, name) => sum + of(name), 0);
  const found = { read: of('read'), disposed, rejected: of('rejected'), parked: of('parked') };
  return same(`ledger of ${group} for ${market} on ${topic}`, found, {
    read: wanted,
    disposed: wanted,
    rejected: refused,
    parked: 0,
  });
}
