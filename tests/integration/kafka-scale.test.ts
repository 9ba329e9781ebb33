// Processes and workers come and go on a real broker while records flow: they join, leave, are killed, and
// stand still past their session to come back as zombies. In the end gold is that of one quiet thread, each
// fact stands once and in order, and who stayed has kept its actors. `KAFKA_CHANGES=6` makes so many changes.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { markets } from '../../actors/feeds/markets.ts';
import { rawTopic, TOPIC } from '../../runtime/services.ts';
import { openBench } from '../support/bench.ts';
import { engineForTests } from '../support/engine.ts';
import { foreignRead } from '../support/foreign-reader.ts';
import { goldFingerprints } from '../support/gold.ts';
import { type KafkaServer, kafkaMissing, startKafka } from '../support/kafka.ts';
import { randomOf, seedOf } from '../support/random.ts';
import { recording, responseOf } from '../support/recordings.ts';
import { openThreads, type Threads } from '../support/threads.ts';
import { topicFaults } from '../support/topics.ts';
import { until } from '../support/until.ts';

const MINUTES = 60_000;
/** Asked for by name: on a machine that is busy, a partition now and then stands still (README.md). */
const CHANGES = Number(process.env.KAFKA_CHANGES ?? '0');
const MEMBERS_MAX = 4;
/** Longer than the session of a member. */
const PAUSE_MS = 12_000;
const FILES = ['20261001', '20240418', '20221025', 'lmp1Day', '13_35_13', '13_30_51'];
const missing = kafkaMissing();
const dir = mkdtempSync(join(tmpdir(), 'carbon-kafka-scale-'));

interface Child {
  readonly process: Bun.Subprocess<'ignore', 'pipe', 'inherit'>;
  readonly name: string;
}

/** Other processes of the product, which come and go. */
class Others {
  readonly living: Child[] = [];
  readonly done = { joins: 0, leaves: 0, kills: 0, pauses: 0 };
  #count = 0;

  constructor(
    readonly brokers: string,
    readonly clickhouseUrl: string,
    readonly draw: () => number,
  ) {}

  async join(workers: number): Promise<void> {
    this.#count += 1;
    const name = `m${this.#count}`;
    const program = join(import.meta.dir, 'kafka-threads.ts');
    const words = [program, this.brokers, this.clickhouseUrl, join(dir, name), String(workers)];
    const child = Bun.spawn([process.execPath, ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.living.push({ process: child, name });
    let said = '';
    for await (const chunk of child.stdout) {
      said += new TextDecoder().decode(chunk);
      if (said.includes('running')) break;
    }
    expect(said).toContain('running');
    this.done.joins += 1;
  }

  async leave(): Promise<void> {
    const child = this.#take();
    child?.process.kill('SIGTERM');
    expect(await child?.process.exited).toBe(0);
    this.done.leaves += 1;
  }

  async kill(): Promise<void> {
    const child = this.#take();
    child?.process.kill('SIGKILL');
    await child?.process.exited;
    this.done.kills += 1;
  }

  async pause(): Promise<void> {
    const child = this.living[Math.floor(this.draw() * this.living.length)];
    child?.process.kill('SIGSTOP');
    await Bun.sleep(PAUSE_MS);
    child?.process.kill('SIGCONT');
    this.done.pauses += 1;
  }

  async change(): Promise<void> {
    const { length } = this.living;
    const drawn = this.draw();
    if (length === 0 || (length < MEMBERS_MAX && drawn < 0.4))
      return this.join(1 + Math.floor(this.draw() * 3));
    if (drawn < 0.6) return this.leave();
    return drawn < 0.8 ? this.kill() : this.pause();
  }

  async end(): Promise<void> {
    while (this.living.length > 0) await this.leave();
  }

  async stop(): Promise<void> {
    for (const { process: child } of this.living.splice(0)) {
      child.kill('SIGKILL');
      await child.exited;
    }
  }

  #take(): Child | undefined {
    return this.living.splice(Math.floor(this.draw() * this.living.length), 1)[0];
  }
}

async function topicsOf(server: KafkaServer) {
  const raw = await Promise.all(markets.map(({ market }) => foreignRead(server, rawTopic(market))));
  const [ticks = [], enriched = [], bars = []] = await Promise.all(
    [TOPIC.ticks, TOPIC.enriched, TOPIC.bars].map((topic) => foreignRead(server, topic)),
  );
  return { raw: raw.flat(), ticks, enriched, bars };
}

function owned({ launched }: Threads, group: 'enrichment-service' | 'aggregation-service'): string {
  const partitions = [...(launched.pipeline.platform.groups.get(group)?.partitions() ?? [])];
  return partitions
    .map(({ of }) => of.partition)
    .sort()
    .join();
}

if (missing !== null) describe('members that come and go', () => test.skip(missing, () => {}));
else {
  describe('on Kafka and an engine', () => {
    const engine = engineForTests();
    describe('members that come and go', () => scale(() => engine().engine.url));
  });
}

/** Everything of it has ended before the engine does. */
function scale(urlOf: () => string): void {
  let server: KafkaServer;
  let threads: Threads;
  let others: Others;
  let expected: Awaited<ReturnType<typeof goldFingerprints>>;

  beforeAll(async () => {
    const bench = await openBench({ dir: join(dir, 'quiet') });
    await bench.feed(FILES.map((name) => responseOf(recording(name))));
    expected = await goldFingerprints(bench.clickhouse);
    await bench.close();
    server = await startKafka({ nodes: 1 });
    const url = urlOf();
    others = new Others(server.brokers, url, randomOf(seedOf('kafka-scale')));
    const settings = { KAFKA_BROKERS: server.brokers, CLICKHOUSE_URL: url, WORKER_ID: 'stays' };
    threads = await openThreads(join(dir, 'stays'), 1, settings);
  }, 6 * MINUTES);

  afterAll(async () => {
    await others?.stop();
    await threads?.stop();
    await server?.stop();
    rmSync(dir, { recursive: true, force: true });
  }, 2 * MINUTES);

  test(
    'who stays in its partitions keeps its actors, in both groups the same',
    async () => {
      const [first = ''] = FILES;
      await threads.feed([responseOf(recording(first))]);
      const { directory } = threads.launched.pipeline.platform;
      const before = new Map(directory.all());
      expect(before.size).toBeGreaterThan(1);
      await others.join(2);
      await until(
        'partitions move, the same of both groups',
        () => {
          const enrichment = owned(threads, 'enrichment-service');
          return enrichment.length < 8 && owned(threads, 'aggregation-service') === enrichment;
        },
        MINUTES,
      );
      expect([...directory.all()].filter(([id, resident]) => before.get(id) !== resident)).toEqual([]);
    },
    3 * MINUTES,
  );

  if (CHANGES === 0) return;
  test(
    `${CHANGES} changes under load end as if nothing had happened`,
    async () => {
      for (let n = 0; n < Math.max(CHANGES, FILES.length); n += 1) {
        const name = FILES[n];
        const feeding = name === undefined ? null : threads.feed([responseOf(recording(name))]);
        if (n < CHANGES) await others.change();
        await feeding;
      }
      await others.end();
      await threads.feed([]);
      console.log(JSON.stringify(others.done));
      const { pipeline, database } = threads.launched;
      expect(await goldFingerprints(database.clickhouse)).toEqual(expected);
      const one = () => owned(threads, 'aggregation-service') === '0,1,2,3,4,5,6,7';
      await until('all is with one again', one, MINUTES);
      const balanced = async () => (await pipeline.conservation()).balanced;
      await until('it conserves', balanced, MINUTES);
      expect(topicFaults(await topicsOf(server))).toEqual([]);
    },
    (4 + CHANGES) * MINUTES,
  );
}
