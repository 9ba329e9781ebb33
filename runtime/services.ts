// The table of services: a name, a port, a consumer group, its inputs and where its outputs go. Everything
// that differs between services and can be said as a value stands here.

import type { Destination } from '../actors/stage.ts';
import type { TopicSpec, WriterOf } from './log/log.ts';
import type { ServiceName, StageName } from './views.ts';

export const TOPIC: Readonly<Record<Destination, string>> = {
  ticks: 'normalized.market.ticks.v1',
  enriched: 'enriched.market.ticks.v1',
  bars: 'aggregation.ohlc.bars.v1',
  metrics: 'aggregation.rolling.metrics.v1',
  curves: 'aggregation.curve.prestage.v1',
  rebuild: 'aggregation.rebuild.v1',
  anomalies: 'data.quality.anomalies.v1',
  scores: 'data.quality.scores.v1',
  bodies: 'processing.deadletter.bodies.v1',
};

export const EVENTS_TOPIC = 'supervisor.events.v1';
export const DEAD_LETTERS_RAW = 'processing.deadletter.normalization.v1';
export const DEAD_LETTERS_TICKS = 'processing.deadletter.market.ticks.v1';

/** `ingestion.caiso.raw.v1`. */
export function rawTopic(market: string): string {
  return `ingestion.${market.toLowerCase()}.raw.v1`;
}

/** `CAISO` of `ingestion.caiso.raw.v1`; null for another topic. */
export function marketOfRawTopic(topic: string): string | null {
  const found = /^ingestion\.([a-z0-9_]+)\.raw\.v1$/.exec(topic);
  return found?.[1]?.toUpperCase() ?? null;
}

export type GroupName =
  | 'normalization-service'
  | 'enrichment-service'
  | 'aggregation-service'
  | 'aggregation-rebuilder'
  | 'data-quality-service'
  | 'projection-service';

/** What has a port. */
export interface PortSpec {
  readonly name: ServiceName;
  readonly port: number;
  readonly description: string;
}

export interface ServiceSpec extends PortSpec {
  readonly name: StageName;
  readonly group: GroupName;
  readonly inputs: (markets: readonly string[]) => readonly string[];
  readonly deadLetters: string;
}

export const SERVICES: readonly ServiceSpec[] = [
  {
    name: 'normalization',
    port: 8510,
    group: 'normalization-service',
    description: 'raw records → clean ticks',
    inputs: (markets) => markets.map(rawTopic),
    deadLetters: DEAD_LETTERS_RAW,
  },
  {
    name: 'enrichment',
    port: 8511,
    group: 'enrichment-service',
    description: 'ticks → ticks with taxonomy, tags and categories',
    inputs: () => [TOPIC.ticks],
    deadLetters: DEAD_LETTERS_TICKS,
  },
  {
    name: 'aggregation',
    port: 8512,
    group: 'aggregation-service',
    description: 'enriched ticks → OHLC bars, rolling metrics, curves',
    inputs: () => [TOPIC.enriched],
    deadLetters: DEAD_LETTERS_TICKS,
  },
  {
    name: 'projection',
    port: 8513,
    group: 'projection-service',
    description: 'every stage → ClickHouse; queries and their cache',
    inputs: (markets) => [
      ...markets.map(rawTopic),
      TOPIC.ticks,
      TOPIC.enriched,
      TOPIC.bars,
      TOPIC.metrics,
      TOPIC.curves,
      TOPIC.anomalies,
      TOPIC.scores,
      TOPIC.bodies,
    ],
    deadLetters: DEAD_LETTERS_TICKS,
  },
  {
    name: 'data-quality',
    port: 8514,
    group: 'data-quality-service',
    description: 'ticks → anomalies and quality scores',
    inputs: () => [TOPIC.ticks],
    deadLetters: DEAD_LETTERS_TICKS,
  },
];

/** Has a port of its own only where it runs apart from the whole. */
export const CONNECTORS: PortSpec = {
  name: 'connectors',
  port: 8515,
  description: 'what the operators publish → raw records',
};

export const PARKING_GROUPS: readonly GroupName[] = [
  'enrichment-service',
  'aggregation-service',
  'data-quality-service',
];

export function parkingTopic(group: GroupName): string {
  return `${group}.parked.v1`;
}

/** One group of each keyed topic brings its stragglers to their partition; the others meet them there. */
export function strayTo(group: GroupName): Destination | null {
  if (group === 'enrichment-service') return 'ticks';
  return group === 'aggregation-service' ? 'enriched' : null;
}

/**
 * Every topic of the platform. The record topics share their number of partitions, so that keys stay
 * together.
 */
export function topicSpecs(markets: readonly string[], partitions: number, retentionMs: number): TopicSpec[] {
  const sized = { partitions, retentionMs, compacted: false };
  const keyed = [...markets.map(rawTopic), ...Object.values(TOPIC)].filter((name) => name !== TOPIC.bodies);
  const specs: TopicSpec[] = keyed.map((name) => ({ ...sized, name, writers: writersOf(name, markets) }));
  const refused = [DEAD_LETTERS_RAW, DEAD_LETTERS_TICKS, TOPIC.bodies];
  specs.push(...refused.map((name) => ({ ...sized, name })));
  // What waits in quarantine waits for an operator, however long; `parked_max` bounds it.
  const parking = PARKING_GROUPS.map(parkingTopic);
  const parked = parking.map((name) => ({ name, partitions, retentionMs: null, compacted: false }));
  return [...specs, ...parked, eventsTopic(retentionMs)];
}

/** Connectors write the raw topics; what follows is written by the group before it, or brought back. */
function writersOf(topic: string, markets: readonly string[]): readonly WriterOf[] {
  if (marketOfRawTopic(topic) !== null) return [{ writer: 'connectors' }];
  const raw = markets.map(rawTopic);
  const of = (group: GroupName, ...inputs: readonly string[]): WriterOf => ({ group, inputs });
  const enrichment = of('enrichment-service', TOPIC.ticks);
  const aggregation = of('aggregation-service', TOPIC.enriched);
  switch (topic) {
    case TOPIC.ticks:
      return [of('normalization-service', ...raw), enrichment];
    case TOPIC.enriched:
      return [enrichment, aggregation];
    case TOPIC.anomalies:
    case TOPIC.scores:
      return [of('data-quality-service', TOPIC.ticks)];
    default:
      return [aggregation, of('aggregation-rebuilder', TOPIC.rebuild)];
  }
}

/** The topic of the supervisors' events, which is there before any other. */
export function eventsTopic(retentionMs: number): TopicSpec {
  return { name: EVENTS_TOPIC, partitions: 1, retentionMs, compacted: false };
}

/** Some thirty records follow from a tick that is aggregated, all in memory until they are committed. */
const AGGREGATED_MAX = 1_000;

/** Records of one batch of a group. */
export function recordsMaxOf(group: GroupName, batchMax: number, sinkMax: number): number {
  if (group === 'projection-service') return sinkMax;
  return group === 'aggregation-service' ? Math.min(batchMax, AGGREGATED_MAX) : batchMax;
}
