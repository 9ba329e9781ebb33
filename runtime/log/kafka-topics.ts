// Topics: created as declared, described as they are. What exists and differs is reported, never altered.

import type { KafkaCluster } from './kafka-cluster.ts';
import { errorType } from './kafka-fault.ts';
import { ends } from './kafka-fetch.ts';
import type { TopicSpec } from './log.ts';
import { type Copies, copiesNow, type FewCopies, fewCopies } from './topic-copies.ts';

/**
 * Null: a copy for each broker of the cluster, away or up, but three at most; of three or more, two must have
 * a record before it counts, else one.
 */
export interface TopicPolicy {
  readonly replication: number | null;
  readonly minInsyncReplicas: number | null;
}

interface KeptTopics {
  readonly topics: TopicPolicy;
  readonly differs: (cause: string, decision: string) => void;
}

const CREATE_MS_MAX = 20_000;
const LOOK_MS = 25;
const TOPIC = 2;
const COMPACTED: Readonly<Record<string, string>> = {
  'cleanup.policy': 'compact',
  'min.cleanable.dirty.ratio': '0.1',
  'segment.ms': '3600000',
};

/** Creates those that are missing and waits until each has its leaders. Returns their names. */
export async function createTopics(
  cluster: KafkaCluster,
  specs: readonly TopicSpec[],
  policy: TopicPolicy,
): Promise<string[]> {
  return cluster.use('create topics', async () => {
    const missing: TopicSpec[] = [];
    for (const spec of specs) if ((await cluster.partitions(spec.name)) === 0) missing.push(spec);
    if (missing.length === 0) return [];
    await create(cluster, missing, policy);
    const deadline = performance.now() + CREATE_MS_MAX;
    for (const { name, partitions } of missing) {
      while (!(await hasLeaders(cluster, name, partitions))) {
        if (performance.now() > deadline) throw new Error(`topic ${name} has no leaders yet`);
        cluster.stale();
        await Bun.sleep(LOOK_MS);
      }
    }
    return missing.map(({ name }) => name);
  });
}

async function create(
  cluster: KafkaCluster,
  specs: readonly TopicSpec[],
  policy: TopicPolicy,
): Promise<void> {
  const { broker } = await cluster.controller();
  const replication = copiesNow(await copiesOf(cluster, policy.replication));
  const minInsyncReplicas = policy.minInsyncReplicas ?? (replication >= 3 ? 2 : 1);
  for (const spec of specs) {
    const settings = {
      'retention.ms': String(spec.retentionMs ?? -1),
      'min.insync.replicas': String(minInsyncReplicas),
      ...(spec.compacted ? COMPACTED : { 'cleanup.policy': 'delete' }),
    };
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
    const numPartitions = spec.partitions;
    const topic = { topic: spec.name, numPartitions, replicationFactor: replication, configEntries };
    try {
      await broker.createTopics({ topics: [topic], timeout: CREATE_MS_MAX });
    } catch (error) {
      if (!alreadyThere(error)) throw error;
    }
  }
}

async function copiesOf(cluster: KafkaCluster, asked: number | null): Promise<Copies> {
  return { asked, registered: await cluster.registered(), named: cluster.named };
}

/** Tells of those that have fewer copies than they should, however they came to be. */
export async function tellCopies(
  cluster: KafkaCluster,
  specs: readonly TopicSpec[],
  { topics: policy, differs }: KeptTopics,
): Promise<void> {
  const names = specs.map(({ name }) => name);
  const few = await cluster.use('copies of topics', () => tooFewCopies(cluster, names, policy.replication));
  if (few !== null) differs(few.cause, few.decision);
}

/** `asked`: what `kafka.replication` says. Null: none has too few. */
export async function tooFewCopies(
  cluster: KafkaCluster,
  names: readonly string[],
  asked: number | null,
): Promise<FewCopies | null> {
  return fewCopies(await cluster.copies(names), await copiesOf(cluster, asked));
}

/** Another process was quicker. */
function alreadyThere(error: unknown): boolean {
  if (!(error instanceof Error) || !('errors' in error) || !Array.isArray(error.errors)) return false;
  return error.errors.every((each) => errorType(each) === 'TOPIC_ALREADY_EXISTS');
}

/** Gives a topic that has fewer as many partitions, and waits until each has its leader. */
export async function addPartitions(cluster: KafkaCluster, topic: string, partitions: number): Promise<void> {
  await cluster.use(`partitions of ${topic}`, async () => {
    if (((await cluster.counts([topic])).get(topic) ?? 0) < partitions) {
      const { broker } = await cluster.controller();
      const topicPartitions = [{ topic, count: partitions }];
      try {
        await broker.createPartitions({ topicPartitions, timeout: CREATE_MS_MAX });
      } catch (error) {
        // Another process was quicker.
        if (errorType(error) !== 'INVALID_PARTITIONS') throw error;
      }
    }
    const deadline = performance.now() + CREATE_MS_MAX;
    cluster.stale();
    while (!(await hasLeaders(cluster, topic, partitions))) {
      if (performance.now() > deadline) throw new Error(`topic ${topic} has no leaders yet`);
      cluster.stale();
      await Bun.sleep(LOOK_MS);
    }
  });
}

/** Named by the metadata, and serving: a broker learns a moment later that it leads. */
async function hasLeaders(cluster: KafkaCluster, topic: string, partitions: number): Promise<boolean> {
  if ((await cluster.partitions(topic)) < partitions) return false;
  try {
    const all = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
    await ends(cluster, all);
    return true;
  } catch {
    return false;
  }
}

/** The topics as they are; those that do not exist are left out. */
export async function describeTopics(cluster: KafkaCluster, names: readonly string[]): Promise<TopicSpec[]> {
  return cluster.use('describe topics', async () => {
    const there: { name: string; partitions: number }[] = [];
    for (const name of names) {
      const partitions = await cluster.partitions(name);
      if (partitions > 0) there.push({ name, partitions });
    }
    if (there.length === 0) return [];
    const { broker } = await cluster.any();
    const configNames = ['retention.ms', 'cleanup.policy'];
    const resources = there.map(({ name }) => ({ type: TOPIC, name, configNames }));
    const described = await broker.describeConfigs({ resources });
    return there.map(({ name, partitions }) => {
      const entries = described.resources.find((each) => each.resourceName === name)?.configEntries ?? [];
      const settingOf = (key: string) => entries.find((each) => each.configName === key)?.configValue ?? '';
      const retention = Number(settingOf('retention.ms'));
      const retentionMs = retention < 0 ? null : retention;
      return { name, partitions, retentionMs, compacted: settingOf('cleanup.policy').includes('compact') };
    });
  });
}
