// The pipeline as one object: log, ClickHouse, services and connectors, built from configuration. `bun run
// start` puts ports in front of it, `bun run replay` feeds it and leaves; both run exactly this.

import { aggregationStage, refold } from '../actors/aggregate.ts';
import { assessmentStage } from '../actors/assess.ts';
import type { Batch } from '../actors/batch.ts';
import type { Cursor } from '../actors/connector.ts';
import type { MarketSpec } from '../actors/domain/market.ts';
import { enrichmentStage } from '../actors/enrich.ts';
import type { Feed, Response } from '../actors/feeds/feed.ts';
import { addLedgers, EMPTY_LEDGER, type Ledger } from '../actors/ledger.ts';
import type { DirectResult } from '../actors/router-protocol.ts';
import type { Work } from '../actors/router-work.ts';
import type { Receipt, Sink } from '../sinks/sink.ts';
import { type Conservation, conservation, type GroupLedgers, losses } from './conservation.ts';
import { type Done, doneOf } from './done.ts';
import { type Address, branch, type Clock, type Draw, type Host } from './host.ts';
import { closing, type Feeding, type Intake } from './intake.ts';
import type { Log } from './log/log.ts';
import { unlessLasting } from './log/log-fault.ts';
import { Meter } from './meter.ts';
import { normalization } from './normalization.ts';
import type { StageOptions } from './options.ts';
import { coverAll, ledgersOf, type PartitionLedgers, sumLedgers } from './partition-ledgers.ts';
import { goneTicks } from './past.ts';
import { type Drain, Platform, type RuntimePolicy } from './platform.ts';
import { ProjectionWriter, type WriterSettings } from './projection-writer.ts';
import { APPEND_MAX, storedCursors } from './raw-outputs.ts';
import { rebuilder } from './rebuilder.ts';
import { ReplaySource } from './replay-source.ts';
import { type GroupName, topicSpecs } from './services.ts';
import { slotMaker } from './slot-maker.ts';
import type { RecordEvent, ServiceName, StageName } from './views.ts';

export interface PipelinePorts {
  readonly host: Host;
  readonly clock: Clock;
  readonly draw: Draw;
  readonly log: Log;
  /** Every version of an instrument's ticks with interval start in [fromUs, toUs), as stored. */
  readonly silver: (instrument: string, fromUs: number, toUs: number) => Promise<readonly object[]>;
  readonly sink: Sink;
  readonly record: RecordEvent;
  /** After each commit. */
  readonly committed: (done: Done) => void;
  /** Raw records of a market that a connector put on the log. */
  readonly extracted: (market: string, records: number) => void;
  readonly wrote: (topic: string, receipt: Receipt, keys: () => ReadonlySet<string>) => void;
  readonly failed: WriterSettings['failed'];
  /** What the partitions that live in workers have counted. */
  readonly elsewhere?: () => Promise<readonly PartitionLedgers[]>;
  /** The supervisors' ladder ended. */
  readonly exhausted: (cause: string) => void;
}

export interface PipelineSettings {
  readonly roles: ReadonlySet<ServiceName>;
  readonly markets: readonly MarketSpec[];
  /** Names of the live connectors that are configured, whether they run here or not. */
  readonly connectors: readonly string[];
  readonly partitions: number;
  readonly retentionMs: number;
  readonly sinkTimeoutMs: number;
  readonly policy: RuntimePolicy;
  readonly stages: StageOptions;
  readonly findFeed: (response: Response) => Feed | null;
}

export interface ReplayWish {
  readonly name: string;
  readonly responses: AsyncIterable<Response>;
  /** Observations of one append. */
  readonly chunkMax?: number;
  /** Event seconds a second; null: as fast as it goes. */
  readonly speed: number | null;
  readonly responseDone: (cursor: Cursor, fresh: boolean) => void;
}

const POLL_MS = 25;
const SETTLED_POLL_MS_MAX = 2_000;
const RAW_LAG_MAX = 40_000;
const ANY_LAG_MAX = 400_000;

export class Pipeline {
  readonly meter: Meter;
  readonly platform: Platform;
  readonly sources: Feeding[] = [];
  readonly #ports: PipelinePorts;
  readonly #settings: PipelineSettings;
  readonly #names: readonly string[];
  readonly #connectors: Address<never>;

  constructor(ports: PipelinePorts, settings: PipelineSettings) {
    this.#ports = ports;
    this.#settings = settings;
    this.#names = settings.markets.map(({ market }) => market);
    this.meter = new Meter(ports.clock);
    this.#connectors = ports.host.spawn({ ...branch, name: 'connectors', parent: null });
    const platformPorts = {
      ...ports,
      progress: (service: StageName, work: Work, seconds: number) => {
        const done = doneOf(service, work, seconds);
        this.meter.batch(done);
        ports.committed(done);
      },
    };
    const stages = this.#stages();
    this.platform = new Platform(platformPorts, settings.policy, stages, settings.roles, this.#names);
  }

  get log(): Log {
    return this.#ports.log;
  }

  /** Creates topics, joins the groups, restores their state; returns topics that are not as configured. */
  async start(restoring: () => void = () => {}): Promise<readonly string[]> {
    const { partitions, retentionMs } = this.#settings;
    const specs = topicSpecs(this.#names, partitions, retentionMs);
    const { differing } = await this.#ports.log.bootstrap(specs);
    restoring();
    await this.platform.start();
    return differing;
  }

  /** Feeds responses; resolves when they are on the log and their calendars are closed, or after a drain. */
  async replay(wish: ReplayWish): Promise<void> {
    const intake = this.intake();
    const chunkMax = wish.chunkMax ?? APPEND_MAX;
    const { findFeed } = this.#settings;
    const parse = (feed: Feed, response: Response) => feed.parse(response);
    const source = new ReplaySource(intake, { ...intake, ...wish, chunkMax, findFeed, parse }, intake.parent);
    this.sources.push(source);
    await source.run();
  }

  /** What connectors feed; each stands in `sources` too, to be seen and drained. */
  intake(): Intake {
    const { host, clock, draw, log, record } = this.#ports;
    const { markets, stages, policy } = this.#settings;
    return {
      host,
      clock,
      draw,
      log,
      record,
      parent: this.#connectors,
      tenantId: policy.tenantId,
      room: () => this.#room(),
      settled: () =>
        this.#until(async () => (await this.lagOf('normalization-service')) === 0, SETTLED_POLL_MS_MAX),
      closeAt: closing(markets, stages),
      extracted: (market, records) => {
        this.meter.extracted += records;
        this.#ports.extracted(market, records);
      },
    };
  }

  async lagOf(group: GroupName): Promise<number> {
    const lags = await this.#ports.log.lag(group);
    return lags.reduce((sum, each) => sum + each.lag, 0);
  }

  /** Records that some group has still to read. Groups are asked in the order of the pipeline. */
  async lag(): Promise<number> {
    let sum = 0;
    for (const group of this.platform.groups.keys()) sum += await this.lagOf(group);
    return sum;
  }

  /** Resolves when every group has read everything, or `stop` aborts; waits for a log that is away. */
  async caughtUp(stop: AbortSignal): Promise<void> {
    const behind = () => this.#behind().catch(unlessLasting);
    // Twice: what the last group wrote while an earlier one was looked at shows in the second pass.
    await this.#until(async () => stop.aborted || !((await behind()) || (await behind())));
  }

  /** Whether every partition of the hosted groups lives in this process. */
  async ownsAll(): Promise<boolean> {
    const own = [...ledgersOf(this.platform.groups), ...((await this.#ports.elsewhere?.()) ?? [])];
    return coverAll(own, this.platform.groups.keys(), this.#ports.log);
  }

  /** What the ledgers say, over all runs on this data directory. */
  async conservation(): Promise<Conservation> {
    return conservation(await this.#ledgers(), await this.cursors(), this.#names);
  }

  /** The same, and each check that is off is raised as DataLoss among the events. */
  async audit(): Promise<Conservation> {
    const found = await this.conservation();
    for (const loss of losses(found)) this.#ports.record(loss);
    return found;
  }

  /** An audit of a pipeline that goes on; null: something moved, or somebody cannot say. */
  async auditQuiet(): Promise<Conservation | null> {
    const before = this.meter.extracted;
    if (await this.#behind()) return null;
    const found = await this.conservation().catch(() => null);
    if (found === null || this.meter.extracted !== before || (await this.#behind())) return null;
    for (const loss of losses(found)) this.#ports.record(loss);
    return found;
  }

  /** What became of each response ever fed, and the running total of each live feed. */
  cursors(): Promise<Cursor[]> {
    return storedCursors(this.#ports.log, this.#settings.connectors);
  }

  /** Ledgers of one group, by market. */
  async ledger(group: GroupName): Promise<ReadonlyMap<string, Ledger>> {
    const sum = new Map<string, Ledger>();
    for (const ledgers of (await this.#ledgers()).get(group)?.values() ?? []) {
      for (const [market, each] of ledgers)
        sum.set(market, addLedgers(sum.get(market) ?? EMPTY_LEDGER, each));
    }
    return sum;
  }

  /** Connectors first, then each service in the order of the pipeline. */
  async drain(others: Drain = async () => {}): Promise<void> {
    await Promise.all(this.sources.map((source) => source.drain()));
    await this.platform.drain(others);
  }

  async #ledgers(): Promise<ReadonlyMap<GroupName, GroupLedgers>> {
    const others = (await this.#ports.elsewhere?.()) ?? [];
    return sumLedgers([...this.platform.groups.keys()], [...ledgersOf(this.platform.groups), ...others]);
  }

  #stages() {
    const { stages } = this.#settings;
    const { silver, log } = this.#ports;
    const { span, fold } = refold(stages.aggregation);
    return {
      normalize: normalization(stages.normalize),
      enrichment: slotMaker(enrichmentStage(stages.enrichment)),
      aggregation: slotMaker(aggregationStage(stages.aggregation)),
      past: goneTicks({ log, silver }),
      dataQuality: slotMaker(assessmentStage(stages.assessment)),
      project: this.#projections(),
      rebuild: rebuilder<object>({
        log,
        silver,
        span,
        refold: fold,
        pause: () => this.#pause(),
      }),
    };
  }

  #projections(): (topic: string) => (batch: Batch, nowMs: number) => Promise<DirectResult> {
    const { sink, clock, wrote, failed } = this.#ports;
    const { sinkTimeoutMs, policy } = this.#settings;
    const writers = new Map<string, ProjectionWriter>();
    const writerOf = (topic: string): ProjectionWriter => {
      const found = writers.get(topic);
      if (found !== undefined) return found;
      const made = new ProjectionWriter({
        sink,
        topic,
        rowsMax: policy.sinkRecordsMax,
        timeoutMs: sinkTimeoutMs,
        clock,
        wrote: (of, receipt, keys) => {
          this.meter.wrote(of, receipt.rows);
          wrote(of, receipt, keys);
        },
        failed,
      });
      writers.set(topic, made);
      return made;
    };
    return (topic) => async (batch) => ({ emissions: [], refused: await writerOf(topic).write(batch) });
  }

  async #room(): Promise<void> {
    const rawLag = () => this.lagOf('normalization-service');
    await this.#until(async () => (await rawLag()) < RAW_LAG_MAX && (await this.lag()) < ANY_LAG_MAX);
  }

  /** Whether a group has something to read, or a router something in hand, here or in a worker. */
  async #behind(): Promise<boolean> {
    const { groups } = this.platform;
    for (const name of groups.keys()) if ((await this.lagOf(name)) > 0) return true;
    const others = await this.#ports.elsewhere?.().catch(() => null);
    return others === null || [...ledgersOf(groups), ...(others ?? [])].some(({ busy }) => busy);
  }

  async #until(holds: () => Promise<boolean>, pauseMsMax = POLL_MS): Promise<void> {
    for (let pauseMs = POLL_MS; !(await holds()); pauseMs = Math.min(pauseMsMax, pauseMs * 1.2)) {
      await this.#pause(pauseMs);
    }
  }

  #pause(pauseMs = POLL_MS): Promise<void> {
    return new Promise((done) => this.#ports.clock.after(pauseMs, done));
  }
}
