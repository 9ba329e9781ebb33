// The platform: the hosted services, their groups and the tree above them, built from parts that somebody
// else made. It drains in the order of the pipeline, so that what is upstream stops first.
//
//   root ─ markets ─ <market> ─ shard ─ instruments        services ─ <service> ─ partition routers

import type { Batch } from '../actors/batch.ts';
import { type FoldReply, instrumentBehaviour } from '../actors/instrument.ts';
import { type SupervisorEffect, type SupervisorMessage, supervisorBehaviour } from '../actors/market.ts';
import type { DirectResult, WorkKind } from '../actors/router-protocol.ts';
import type { Work } from '../actors/router-work.ts';
import type { Destination } from '../actors/stage.ts';
import {
  type BackoffPolicy,
  budgetLeft,
  CALM,
  type Ladder,
  type LadderState,
  NO_RESTARTS,
  type RestartPolicy,
} from '../actors/supervision.ts';
import { Directory, type Resident } from './directory.ts';
import { Group } from './group.ts';
import { type Address, branch, type Clock, type Draw, type Host } from './host.ts';
import type { Log, TopicPartition } from './log/log.ts';
import type { PartitionPlan } from './partition-plan.ts';
import { repeating } from './repeating.ts';
import {
  type GroupName,
  marketOfRawTopic,
  parkingTopic,
  recordsMaxOf,
  SERVICES,
  type ServiceSpec,
  strayTo,
  TOPIC,
} from './services.ts';
import type { SlotMaker } from './slot-maker.ts';
import { StartCounter } from './start-counter.ts';
import type { RecordEvent, ServiceName, StageName } from './views.ts';

export interface RuntimePolicy {
  readonly tenantId: string;
  readonly batchRecordsMax: number;
  /** Records of one batch for a sink; rows of one insert. */
  readonly sinkRecordsMax: number;
  readonly parkedMax: number;
  readonly outputBytesMax: number;
  readonly shardChildrenMax: number;
  readonly backoff: BackoffPolicy;
  /** Defects of one instrument before quarantine. */
  readonly quarantine: RestartPolicy;
  readonly ladder: Ladder;
  readonly routerRestarts: RestartPolicy;
  /** A partition that has a lag and has not moved for so long stands still. */
  readonly stallMs: number;
  /** An instrument actor that is asked for nothing for so long is given up until it is. */
  readonly idleMs: number;
}

/** Drains a group's members in other threads, at the same time as the one here. */
export type Drain = (group: GroupName) => Promise<void>;

type Deferred = (batch: Batch, nowMs: number) => Promise<DirectResult>;

export interface StageParts {
  readonly normalize: (batch: Batch, nowMs: number) => DirectResult;
  readonly enrichment: SlotMaker;
  readonly aggregation: SlotMaker;
  /** For aggregation, a function of its set of ticks: those of an instrument that left the log. */
  readonly past: NonNullable<PartitionPlan['past']>;
  readonly dataQuality: SlotMaker;
  /** The sink's work for a topic. */
  readonly project: (topic: string) => Deferred;
  readonly rebuild: Deferred;
}

export interface PlatformPorts {
  readonly host: Host;
  readonly clock: Clock;
  readonly draw: Draw;
  readonly log: Log;
  readonly record: RecordEvent;
  /** After a commit: what a service did. */
  readonly progress: (service: StageName, work: Work, seconds: number) => void;
  /** The ladder ended: the process must leave. */
  readonly exhausted: (cause: string) => void;
}

export class Platform {
  readonly directory: Directory;
  readonly groups = new Map<GroupName, Group>();
  started = false;
  readonly #ports: PlatformPorts;
  readonly #policy: RuntimePolicy;
  readonly #stages: StageParts;
  readonly #supervisor: Address<SupervisorMessage>;
  readonly #services: Address<never>;
  #ladder: LadderState = CALM;
  #assignments = 0;
  #passivation: () => void = () => {};

  constructor(
    ports: PlatformPorts,
    policy: RuntimePolicy,
    stages: StageParts,
    readonly roles: ReadonlySet<ServiceName>,
    markets: readonly string[],
  ) {
    this.#ports = ports;
    this.#policy = policy;
    this.#stages = stages;
    const { host } = ports;
    this.directory = new Directory({
      host,
      behaviour: instrumentBehaviour(policy),
      shardChildrenMax: policy.shardChildrenMax,
      crashes: policy.quarantine,
      nowMs: () => ports.clock.nowMs(),
      crashed: (resident, cause, budget) => this.#crashed(resident, cause, budget),
      started: (shard) => starts.started(shard),
    });
    const starts = new StartCounter(ports.clock, ports.record, (shard) => this.directory.live(shard));
    this.#services = host.spawn({ ...branch, name: 'services', parent: null });
    const behaviour = supervisorBehaviour(policy.ladder);
    this.#supervisor = host.spawn<LadderState, SupervisorMessage, SupervisorEffect>({
      name: 'supervisor',
      parent: null,
      initial: CALM,
      behaviour: (state, message) => {
        const step = behaviour(state, message);
        this.#ladder = step.state;
        return step;
      },
      perform: (effect) => this.#escalate(effect),
      crashed: (error) => ports.exhausted(`the supervisor crashed: ${String(error)}`),
    });
    for (const spec of SERVICES) if (roles.has(spec.name)) this.#host(spec, markets);
  }

  /** Joins every group; each is ready when its state is restored. At once: a broker delays each join. */
  async start(): Promise<void> {
    this.#passivation = repeating(this.#ports.clock, this.#policy.idleMs, () => this.directory.passivate());
    await Promise.all([...this.groups.values()].map((group) => group.join()));
    this.started = true;
  }

  /** The process leaves as a whole: no group takes over what another thread of it gives up. */
  leaving(): void {
    for (const group of this.groups.values()) group.takeNoMore();
  }

  /** Each service finishes what it has in hand before the one behind it stops; the sinks' is the last. */
  async drain(others: Drain = async () => {}): Promise<void> {
    this.#passivation();
    const last: GroupName = 'projection-service';
    const drain = async (name: GroupName): Promise<void> => {
      await Promise.all([this.groups.get(name)?.drain(), others(name)]);
    };
    for (const name of this.groups.keys()) if (name !== last) await drain(name);
    if (this.groups.has(last)) await drain(last);
  }

  /** Lets a quarantined instrument go on, in every slot that parks for it. */
  release(instrument: string): 'released' | 'not_quarantined' | 'unknown' {
    if (!this.directory.index.has(instrument)) return 'unknown';
    // One that rests is in no quarantine.
    const quarantined = this.directory.find(instrument)?.quarantined ?? new Set();
    if (quarantined.size === 0) return 'not_quarantined';
    for (const group of this.groups.values()) {
      for (const partition of group.partitions()) {
        const { slotKey } = partition;
        if (slotKey !== null && quarantined.has(slotKey)) partition.tell({ kind: 'release', instrument });
      }
    }
    return 'released';
  }

  /** Restarts that a shard or market has left in its period. */
  budgetLeft(level: 'shard' | 'market', what: string): number {
    const nowMs = this.#ports.clock.nowMs();
    const windows = level === 'shard' ? this.#ladder.shards : this.#ladder.markets;
    return budgetLeft(windows.get(what) ?? NO_RESTARTS, nowMs, this.#policy.ladder[level]);
  }

  #host(spec: ServiceSpec, markets: readonly string[]): void {
    const parent = this.#ports.host.spawn({ ...branch, name: spec.name, parent: this.#services });
    this.#group(spec, spec.group, spec.inputs(markets), parent);
    if (spec.name === 'aggregation') this.#group(spec, 'aggregation-rebuilder', [TOPIC.rebuild], parent);
  }

  #group(spec: ServiceSpec, group: GroupName, topics: readonly string[], parent: Address<never>): void {
    const ports = { ...this.#ports, directory: this.directory };
    const settings = {
      service: spec.group,
      group,
      topics,
      plan: (of: TopicPartition) => this.#plan(spec, group, of),
      restarts: this.#policy.routerRestarts,
      stallMs: this.#policy.stallMs,
      exhausted: this.#ports.exhausted,
    };
    this.groups.set(group, new Group(settings, ports, parent));
  }

  #plan(spec: ServiceSpec, group: GroupName, of: TopicPartition): PartitionPlan {
    const { batchRecordsMax, sinkRecordsMax, backoff, tenantId, outputBytesMax, parkedMax } = this.#policy;
    const fromRaw = marketOfRawTopic(of.topic);
    const work = this.#work(group, of);
    return {
      settings: {
        service: spec.group,
        tenantId,
        topicOf: (to: Destination) => TOPIC[to],
        deadLetterTopic: spec.deadLetters,
        parkingTopic: parkingTopic(group),
        calendarTo: group === 'enrichment-service' ? 'enriched' : null,
        strayTo: strayTo(group),
        marketOf: (key) => fromRaw ?? key.slice(0, Math.max(0, key.indexOf(':'))),
        outputBytesMax,
        work: work.kind,
        parkedMax,
      },
      recordsMax: recordsMaxOf(group, batchRecordsMax, sinkRecordsMax),
      backoff,
      slot: work.slot,
      past: group === 'aggregation-service' ? this.#stages.past : null,
      work: work.deferred,
      progress: (done, seconds) => this.#ports.progress(spec.name, done, seconds),
      defect: (reply) => this.#defect(reply),
    };
  }

  #work(
    group: GroupName,
    of: TopicPartition,
  ): { kind: WorkKind; slot: SlotMaker | null; deferred: Deferred | null } {
    const stages = this.#stages;
    const sharded = (slot: SlotMaker) => {
      // Each life of a router has a key of its own: what an earlier one asked for reaches nobody.
      this.#assignments += 1;
      const slotKey = `${group}/${of.topic}/${of.partition}@${this.#assignments}`;
      return { kind: { kind: 'sharded' as const, slotKey }, slot, deferred: null };
    };
    const deferred = (work: Deferred) => ({
      kind: { kind: 'deferred' as const },
      slot: null,
      deferred: work,
    });
    switch (group) {
      case 'normalization-service':
        return { kind: { kind: 'direct', fold: stages.normalize }, slot: null, deferred: null };
      case 'enrichment-service':
        return sharded(stages.enrichment);
      case 'aggregation-service':
        return sharded(stages.aggregation);
      case 'data-quality-service':
        return sharded(stages.dataQuality);
      case 'aggregation-rebuilder':
        return deferred(stages.rebuild);
      case 'projection-service':
        return deferred(stages.project(of.topic));
    }
  }

  #defect(reply: FoldReply): void {
    const resident = this.directory.find(reply.instrument);
    if (resident === undefined) return;
    this.#tellSupervisor(resident, resident.id, reply.defects[0]?.cause ?? 'defect');
  }

  #crashed(resident: Resident, cause: string, budget: number): void {
    const decision = 'respawned from committed state; what it had not answered is sent again';
    const actor = `${resident.shard}/${resident.id}`;
    this.#ports.record({ kind: 'restart', service: 'markets', actor, cause, decision, budget_left: budget });
    this.#tellSupervisor(resident, `${resident.id}#${resident.restarts}`, cause);
  }

  #tellSupervisor({ shard, market }: Resident, what: string, cause: string): void {
    const nowMs = this.#ports.clock.nowMs();
    this.#supervisor.tell({ kind: 'defect', what, shard, market, cause, nowMs });
  }

  #escalate(effect: SupervisorEffect): void {
    const { level, what, cause, budgetLeft } = effect;
    if (level === 'process') {
      this.#event('escalation', what, cause, 'the restarts of markets are used up: the service gives up', 0);
      this.#event('escalation', 'process', cause, 'no supervisor is left: the process leaves', 0);
      this.#ports.exhausted(cause);
      return;
    }
    const restarted = this.directory.restart(what);
    const decision = `${level} restarted with ${restarted} instruments from committed state`;
    this.#event('escalation', what, cause, decision, budgetLeft);
  }

  #event(kind: 'escalation', actor: string, cause: string, decision: string, budget: number): void {
    this.#ports.record({ kind, service: 'markets', actor, cause, decision, budget_left: budget });
  }
}
