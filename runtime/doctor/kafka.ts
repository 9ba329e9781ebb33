// The brokers that KAFKA_BROKERS names: each asked on its own, the way the product would, and the topics that
// the start would find. Nothing is created.

import { markets } from '../../actors/feeds/markets.ts';
import type { KafkaEnvironment } from '../../configs/kafka-environment.ts';
import { KafkaCluster } from '../log/kafka-cluster.ts';
import { topicSpecs } from '../services.ts';
import { type Check, type Line, line, redacted } from './check.ts';

const NAME = 'kafka';
const ANSWER_MS_MAX = 5_000;

export const kafka: Check = {
  name: NAME,
  needs: [
    'KAFKA_BROKERS',
    ...['MECHANISM', 'USERNAME', 'PASSWORD'].map((each) => `KAFKA_SASL_${each}`),
    ...['ENABLED', 'CA', 'CERT', 'KEY'].map((each) => `KAFKA_TLS_${each}`),
  ],
  async run({ environment: { kafka: of } }) {
    if (of === null) return [line('ok', NAME, 'the log is a file in the data directory')];
    const answers = await Promise.all(of.brokers.map((broker) => ask(of, broker)));
    const found = answers.find((each) => each.topics !== null)?.topics ?? null;
    return [...answers.map((each) => each.line), ...(found === null ? [] : [topicLine(found)])];
  },
};

/** Such as `TLS, SASL PLAIN`. */
function wayOf({ tls, sasl }: KafkaEnvironment): string {
  const login = sasl === null ? [] : [`SASL ${sasl.mechanism.toUpperCase()} as ${sasl.username}`];
  return [tls === null ? 'plain text' : 'TLS', ...login].join(', ');
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
    const said = redacted(error instanceof Error ? error.message : String(error), [of.sasl?.password ?? '']);
    const message = said.includes(';') ? said : `${said}; check that it runs, and KAFKA_BROKERS`;
    return { line: line('fail', NAME, message), topics: null };
  } finally {
    cluster.close();
  }
}

/** A topic that this user may not see is told as one that is missing. */
function topicLine(found: readonly string[]): Line {
  const wanted = topicSpecs(
    markets.map(({ market }) => market),
    1,
    0,
  ).map(({ name }) => name);
  const there = wanted.filter((name) => found.includes(name)).length;
  const rest = there === wanted.length ? '' : '; the start makes the others';
  return line('ok', NAME, `${there} of ${wanted.length} topics are there${rest}`);
}
