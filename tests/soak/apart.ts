// Every service as a process of the product of its own (`ROLE=…`), over the servers of a bed and a Redis.

import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { type Product, startProduct } from '../support/product.ts';
import { REDIS, redisIn, type TestRedis } from '../support/redis.ts';
import type { Bed } from './bed.ts';

export class Apart {
  readonly redis: TestRedis;
  readonly #bed: Bed;
  readonly #running = new Map<string, Product>();

  private constructor(bed: Bed) {
    this.#bed = bed;
    this.redis = redisIn(() => mkdtempSync(join(bed.dir, 'redis-')));
  }

  /** `roles`: what each process hosts, such as `aggregation` or `enrichment,aggregation`. */
  static async open(bed: Bed, roles: readonly string[]): Promise<Apart> {
    if (REDIS === null) throw new Error('redis-server is not on the PATH');
    const apart = new Apart(bed);
    bed.ends(() => apart.#kill());
    await apart.redis.start();
    await Promise.all(roles.map((role) => apart.start(role)));
    return apart;
  }

  product(role: string): Product {
    const found = this.#running.get(role);
    if (found === undefined) throw new Error(`${role} does not run`);
    return found;
  }

  /** Resolves when it is ready. */
  async start(role: string): Promise<void> {
    const { dir, brokers, clickhouseUrl, configs } = this.#bed;
    const env = {
      ROLE: role,
      KAFKA_BROKERS: brokers,
      CLICKHOUSE_URL: clickhouseUrl,
      REDIS_URL: this.redis.url,
      CONFIG_DIR: configs.path,
    };
    this.#running.set(role, await startProduct({ dir: join(dir, role.replaceAll(',', '-')), env }));
  }

  /** By SIGTERM; throws when it does not leave in order. */
  async stop(role: string): Promise<void> {
    const code = await this.product(role).stop();
    this.#running.delete(role);
    if (code !== 0) throw new Error(`${role} left with ${code}`);
  }

  async end(): Promise<void> {
    for (const role of [...this.#running.keys()]) await this.stop(role);
  }

  async #kill(): Promise<void> {
    for (const product of this.#running.values()) await product[Symbol.asyncDispose]();
    await this.redis.signal('SIGKILL');
  }
}
