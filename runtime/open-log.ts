// Which log stands behind the port: one SQLite file of this process, or the brokers that KAFKA_BROKERS names.

import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import type { Environment } from '../configs/environment.ts';
import type { Config } from '../configs/load.ts';
import { systemClock } from './clock.ts';
import { openEmbeddedLog } from './log/embedded.ts';
import { openKafkaLog } from './log/kafka.ts';
import type { Log } from './log/log.ts';
import { OUTPUT_BYTES_MAX } from './options.ts';
import { Probe } from './probe.ts';

export interface OpenedLog {
  readonly log: Log;
  /** Its name among the dependencies of /health. */
  readonly name: 'log' | 'kafka';
  readonly target: string;
  /** Whether it can serve. */
  readonly probe: Probe;
  /** What this process is called where several write: its events, its partitions. */
  readonly worker: string | null;
}

const CLIENT_ID = 'carbon-ingestion';

/** Who hears of the log. */
export interface LogVoice {
  /** What fails and is tried again. */
  note(cause: string): void;
  /** What was noticed of the topics, and what is done about it. */
  told(cause: string, decision: string): void;
  /** Topics are not as they should be, and are left so. */
  differs(cause: string, decision: string): void;
  /** Which worker of the process it is opened for; unset: the process's own thread. */
  readonly worker?: string;
  /** Where this process answers for a group; unset: nowhere. */
  readonly urlOf?: (group: string) => string | null;
}

/**
 * Throws LogFault for a directory that cannot be used; brokers
 * that are away are no reason to throw.
 */
export function openLog(config: Config, environment: Environment, voice: LogVoice): OpenedLog {
  const { note, told, differs } = voice;
  const { kafka } = environment;
  if (kafka === null) {
    const dir = join(environment.dataDir, 'log');
    const log = openEmbeddedLog({ dir, nowMs: systemClock.nowMs });
    const of = { name: `the log in ${dir}`, target: dir, well: 'embedded', ask: () => log.health() } as const;
    return { log, name: 'log', target: dir, probe: new Probe(of, systemClock), worker: null };
  }
  const settings = config.runtime.kafka;
  const own = environment.workerId ?? workerOf(environment);
  const worker = voice.worker === undefined ? own : `${own}/${voice.worker}`;
  const log = openKafkaLog({
    connection: { ...kafka, clientId: CLIENT_ID, requestTimeoutMs: settings.request_timeout_ms },
    topics: { replication: settings.replication, minInsyncReplicas: settings.min_insync_replicas },
    worker,
    urlOf: voice.urlOf ?? (() => null),
    compression: settings.compression,
    sessionMs: settings.session_timeout_ms,
    heartbeatMs: settings.heartbeat_interval_ms,
    rebalanceMs: settings.rebalance_timeout_ms,
    transactionMs: settings.transaction_timeout_ms,
    fetchBytesMax: settings.fetch_max_bytes,
    fetchBytesMin: settings.fetch_min_bytes,
    fetchWaitMsMax: settings.fetch_max_wait_ms,
    valueBytesMax: OUTPUT_BYTES_MAX,
    nowMs: systemClock.nowMs,
    layoutPollMs: settings.layout_poll_ms,
    note,
    told,
    differs,
  });
  const target = kafka.brokers.join(',');
  const of = { name: `Kafka at ${target}`, target, well: 'up', ask: () => log.health() } as const;
  return { log, name: 'kafka', target, probe: new Probe(of, systemClock), worker };
}

/** The same after a restart, another for each process that may run beside it. */
function workerOf({ dataDir, roles }: Environment): string {
  const place = Bun.hash.xxHash64(`${resolve(dataDir)}|${roles.join(',')}`).toString(16);
  return `${hostname()}-${place}`;
}
