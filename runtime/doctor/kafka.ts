// The brokers that KAFKA_BROKERS names: each asked on its own, the way the product would, and the topics that
// the start would find. Nothing is created.

import { markets } from '../../actors/feeds/markets.ts';
import type { Variables } from '../../configs/environment.ts';
import type { KafkaEnvironment } from '../../configs/kafka-environment.ts';
import { loadConfig } from '../../configs/load.ts';
import { changelogTopic, WRITERS_CHANGELOG } from '../log/kafka-changelog.ts';
import { KafkaCluster } from '../log/kafka-cluster.ts';
import { LAYOUTS } from '../log/kafka-layouts.ts';
import { tooFewCopies } from '../log/kafka-topics.ts';
import { type GroupName, SERVICES, topicSpecs } from '../services.ts';
import { type Check, type Line, line, redacted } from './check.ts';

const NAME = 'kafka';
const ANSWER_MS_MAX = 5_000;
const MARKETS = markets.map(({ market }) => market);
const WANTED = topicSpecs(MARKETS, 1, 0).map(({ name }) => name);
const GROUPS: readonly GroupName[] = [...SERVICES.map(({ group }) => group), 'aggregation-rebuilder'];
/** What the log itself keeps beside them. */
const KEPT = [...GROUPS.map(changelogTopic), WRITERS_CHANGELOG, LAYOUTS];

export const kafka: Check = {
  name: NAME,
  needs: [
    'KAFKA_BROKERS',
    ...['MECHANISM', 'USERNAME', 'PASSWORD'].map((each) => `KAFKA_SASL_${each}`),
    ...['ENABLED', 'CA', 'CERT', 'KEY'].map((each) => `KAFKA_TLS_${each}`),
  ],
  async run({ environment: { kafka: of }, variables }) {
    if (of === null) return [line('ok', NAME, 'the log is a file in the data directory')];
    const answers = await Promise.all(of.brokers.map((broker) => ask(of, broker)));
    const found = answers.find((each) => each.topics !== null)?.topics ?? null;
    const lines = answers.map((each) => each.line);
    if (found === null) return lines;
    return [...lines, topicLine(found), ...(await copyLines(of, found, variables))];
  },
};

/** Such as `TLS, SASL PLAIN`. */
function wayOf({ tls, sasl }: KafkaEnvironment): string {
  const login = sasl === null ? [] : [`SASL ${sasl.mechanism.toUpperCase()} as ${sasl.username}`];
  return [tls === null ? 'plain text' : 'TLS', ...login].join(', ');
}

function wordsOf(error: unknown, { sasl }: KafkaEnvironment): string {
  return redacted(error instanceof Error ? error.message : String(error), [sasl?.password ?? '']);
}

async function ask(
  of: KafkaEnvironment,
  broker: string,
): Promise<{ readonly line: Line; readonly topics: readonly string[] | null }> {
  const connection = { ...of, brokers: [broker], clientId: 'doctor', requestTimeoutMs: ANSWER_MS_MAX };
  const cluster = new KafkaCluster(connection);
  try {
    const topics = await cluster.use('metadata', () => cluster.topics());
    return { line: line('ok', NAME, `${broker} answers (${wayOf(of)})`), topics };
  } catch (error) {
    const said = wordsOf(error, of);
    const message = said.includes(';') ? said : `${said}; check that it runs, and KAFKA_BROKERS`;
    return { line: line('fail', NAME, message), topics: null };
  } finally {
    cluster.close();
  }
}

/** Those of ours that have fewer copies than the brokers allow, or than the configuration asks for. */
async function copyLines(
  of: KafkaEnvironment,
  found: readonly string[],
  variables: Variables,
): Promise<readonly Line[]> {
  const loaded = loadConfig(variables, markets);
  const asked = loaded.ok ? loaded.config.runtime.kafka.replication : null;
  const ours = [...WANTED, ...KEPT].filter((name) => found.includes(name));
  const cluster = new KafkaCluster({ ...of, clientId: 'doctor', requestTimeoutMs: ANSWER_MS_MAX });
  try {
    const few = await cluster.use('copies', () => tooFewCopies(cluster, ours, asked));
    return few === null ? [] : [line('warn', NAME, `${few.cause}: ${few.decision}`)];
  } catch (error) {
    return [line('warn', NAME, wordsOf(error, of))];
  } finally {
    cluster.close();
  }
}

/** A topic that this user may not see is told as one that is missing. */
function topicLine(found: readonly string[]): Line {
  const there = WANTED.filter((name) => found.includes(name)).length;
  const rest = there === WANTED.length ? '' : '; the start makes the others';
  return line('ok', NAME, `${there} of ${WANTED.length} topics are there${rest}`);
}
