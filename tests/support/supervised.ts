// The real platform on nact over the real embedded log, with stages that are small enough to predict (see
// tests/simulation/counting-stages.ts): a record marked for a stage is a real defect of it. Several lives can
// follow each other on one directory, as restarts do.

import { nactHost } from '../../runtime/actor-system.ts';
import { systemClock } from '../../runtime/clock.ts';
import { openEmbeddedLog } from '../../runtime/log/embedded.ts';
import type { Log } from '../../runtime/log/log.ts';
import { lookAt } from '../../runtime/look.ts';
import { Platform, type RuntimePolicy, type StageParts } from '../../runtime/platform.ts';
import { type GroupName, rawTopic, topicSpecs } from '../../runtime/services.ts';
import { slotMaker } from '../../runtime/slot-maker.ts';
import type { SupervisorEvent } from '../../runtime/views.ts';
import {
  type CountedRecord,
  countingStage,
  normalizeCounted,
  parseRecord,
} from '../simulation/counting-stages.ts';
import { until } from './until.ts';

export const PARTITIONS = 2;

export const POLICY: RuntimePolicy = {
  tenantId: 't',
  batchRecordsMax: 100,
  sinkRecordsMax: 100,
  parkedMax: 1_000,
  outputBytesMax: 100_000,
  shardChildrenMax: 4,
  backoff: { initialMs: 1, maxMs: 20, jitter: 0.5 },
  quarantine: { intensity: 2, periodMs: 600_000 },
  ladder: {
    shard: { intensity: 100, periodMs: 600_000 },
    market: { intensity: 100, periodMs: 600_000 },
    service: { intensity: 100, periodMs: 600_000 },
  },
  routerRestarts: { intensity: 5, periodMs: 600_000 },
  stallMs: 60_000,
  idleMs: 600_000,
};

type Event = Omit<SupervisorEvent, 'seq' | 'time'>;

export class Supervised {
  readonly log: Log;
  readonly platform: Platform;
  readonly events: Event[] = [];
  exhausted: string | null = null;

  constructor(dir: string, policy: Partial<RuntimePolicy> = {}, parts: Partial<StageParts> = {}) {
    this.log = openEmbeddedLog({ dir, nowMs: systemClock.nowMs });
    const record = (event: Event): void => void this.events.push(event);
    this.platform = new Platform(
      {
        host: nactHost(),
        clock: systemClock,
        draw: Math.random,
        log: this.log,
        record,
        progress: () => {},
        exhausted: (cause) => {
          this.exhausted = cause;
        },
      },
      { ...POLICY, ...policy },
      {
        normalize: normalizeCounted,
        enrichment: slotMaker(countingStage('enrichment', 'enriched')),
        aggregation: slotMaker(countingStage('aggregation', 'bars')),
        past: async () => [],
        dataQuality: slotMaker(countingStage('data-quality', 'scores')),
        project: () => async () => ({ emissions: [], refused: [] }),
        rebuild: async () => ({ emissions: [], refused: [] }),
        ...parts,
      },
      new Set(['normalization', 'enrichment', 'aggregation', 'data-quality']),
      ['X'],
    );
  }

  static async start(...of: ConstructorParameters<typeof Supervised>): Promise<Supervised> {
    const made = new Supervised(...of);
    await made.log.bootstrap(topicSpecs(['X'], PARTITIONS, 3_600_000));
    await made.platform.start();
    return made;
  }

  /** Feeds records, each append a batch of its own for whoever reads. */
  async feed(records: readonly CountedRecord[]): Promise<void> {
    const topic = rawTopic('X');
    const outputs = records.map((each) => ({ topic, key: each.instrument, value: JSON.stringify(each) }));
    await this.log.append('test', outputs, []);
  }

  /** Everything was read, and no router has anything in hand. */
  async idle(): Promise<void> {
    const groups: readonly GroupName[] = [...this.platform.groups.keys()];
    const still = async (): Promise<boolean> => {
      for (const group of groups) {
        for (const { lag } of await this.log.lag(group)) if (lag > 0) return false;
        for (const { state } of this.platform.groups.get(group)?.partitions() ?? [])
          if (state.work !== null || state.toRelease.length > 0) return false;
      }
      return true;
    };
    await until('everything is read', async () => (await still()) && (await still()));
  }

  /** What stands on a topic of one instrument, in order. */
  async on(topic: string, instrument: string): Promise<(CountedRecord & { readonly nth?: number })[]> {
    const found: CountedRecord[] = [];
    for (let partition = 0; partition < PARTITIONS; partition += 1) {
      for (let from = 0; ; ) {
        const batch = await this.log.read({ topic, partition }, from, 1_000);
        if (batch === null) break;
        for (let index = 0; index < batch.count; index += 1) {
          if (batch.key(index) === instrument) found.push(parseRecord(batch.value(index)));
        }
        from = batch.nextOffset;
      }
    }
    return found;
  }

  /** Ids that the living actor's slot of a stage holds. */
  state(instrument: string, stage: string): unknown {
    for (const slot of lookAt(this.platform.directory, instrument, 0)?.slots.values() ?? [])
      if (slot.stage === stage) return slot.inspect().ids;
    return undefined;
  }

  of(kind: SupervisorEvent['kind']): readonly Event[] {
    return this.events.filter((event) => event.kind === kind);
  }

  ledger(group: GroupName) {
    const sum = { read: 0, first: 0, forwarded: 0, rejected: 0, parked: 0 };
    for (const { state } of this.platform.groups.get(group)?.partitions() ?? []) {
      const found = state.ledgers.get('X');
      if (found === undefined) continue;
      sum.read += found.read;
      sum.first += found.first;
      sum.forwarded += found.forwarded;
      sum.rejected += found.rejected;
      sum.parked += found.parked;
    }
    return sum;
  }

  async stop(): Promise<void> {
    await this.platform.drain();
    await this.log.close();
  }
}
