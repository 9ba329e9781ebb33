// Metrics of the real process after the sample: every port's text by a strict reader, the names that
// operators' alerts and dashboards use, bounded labels, and values that equal the ledgers.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { SERVICES } from '../../runtime/services.ts';
import type { ServiceName } from '../../runtime/views.ts';
import { type Product, startProduct } from '../support/product.ts';
import { type Family, parsePrometheus, type Sample } from '../support/prometheus.ts';

/** Series of one port: 72 partitions of lag, and buckets of a few histograms. */
const SERIES_MAX = 400;
let product: Product;

beforeAll(async () => {
  product = await startProduct();
  await product.sampleIn();
}, 400_000);

afterAll(async () => {
  await product[Symbol.asyncDispose]();
}, 60_000);

async function scrape(service: ServiceName): Promise<ReadonlyMap<string, Family>> {
  const response = await product.get(service, '/metrics');
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  return parsePrometheus(await response.text());
}

function samples(families: ReadonlyMap<string, Family>, name: string): readonly Sample[] {
  return families.get(name)?.samples ?? [];
}

function total(families: ReadonlyMap<string, Family>, name: string): number {
  return samples(families, name).reduce((sum, each) => sum + each.value, 0);
}

test.each(SERVICES.map(({ name }) => name))(
  '%s: strict text, the stage’s names, few series',
  async (name) => {
    const families = await scrape(name);
    const stage = name.replaceAll('-', '_');
    for (const [metric, type] of [
      [`${stage}_records_processed_total`, 'counter'],
      [`${stage}_latency_seconds`, 'histogram'],
      [`${stage}_errors_total`, 'counter'],
      ['kafka_consumer_lag', 'gauge'],
      ['conservation_imbalance', 'gauge'],
      ['process_cpu_seconds_total', 'counter'],
      ['process_resident_memory_bytes', 'gauge'],
      ['nodejs_eventloop_lag_p99_seconds', 'gauge'],
      ['state_dir_bytes', 'gauge'],
      ['supervisor_events_total', 'counter'],
      ['instrument_actors', 'gauge'],
    ] as const) {
      expect(`${metric} ${families.get(metric)?.type}`).toBe(`${metric} ${type}`);
      expect(samples(families, metric).length).toBeGreaterThan(0);
    }
    const all = [...families.values()].flatMap((each) => each.samples);
    expect(all.length).toBeLessThan(SERIES_MAX);
    for (const { labels } of all) {
      for (const value of Object.values(labels)) expect(value).not.toMatch(/^(CAISO|MISO):/);
    }
  },
  60_000,
);

test('counts equal the ledgers, and nothing is out of balance', async () => {
  for (const { name } of SERVICES) {
    const families = await scrape(name);
    const info: { ledger: Record<string, { read: number }> } = JSON.parse(
      await (await product.get(name, '/info')).text(),
    );
    const read = Object.values(info.ledger).reduce((sum, each) => sum + each.read, 0);
    expect(read).toBeGreaterThan(0);
    expect(total(families, `${name.replaceAll('-', '_')}_records_processed_total`)).toBe(read);
    expect(total(families, 'conservation_imbalance')).toBe(0);
    expect(total(families, 'kafka_consumer_lag')).toBe(0);
    const labels = samples(families, `${name.replaceAll('-', '_')}_records_processed_total`);
    expect(new Set(labels.map((each) => each.labels.market))).toEqual(new Set(['CAISO', 'MISO']));
    expect(
      families.get(`${name.replaceAll('-', '_')}_latency_seconds`)?.samples.at(-1)?.value,
    ).toBeGreaterThan(0);
  }
}, 60_000);

test('what connectors extracted is what normalization read', async () => {
  const families = await scrape('normalization');
  const extracted = total(families, 'connector_records_extracted_total');
  expect(extracted).toBeGreaterThan(80_000);
  expect(total(families, 'normalization_records_processed_total')).toBe(extracted);
});

test('end to end, inserts, cache and quality stand where they are measured', async () => {
  const projection = await scrape('projection');
  const count = samples(projection, 'pipeline_end_to_end_seconds').find(({ name }) =>
    name.endsWith('_count'),
  );
  expect(count?.value).toBeGreaterThan(0);
  expect(samples(projection, 'clickhouse_write_latency_seconds').length).toBeGreaterThan(0);
  expect(total(projection, 'cache_hit_ratio')).toBe(1);
  expect(projection.has('cache_invalidations_total')).toBe(true);
  const quality = await scrape('data-quality');
  const scores = samples(quality, 'dq_quality_score_avg');
  expect(scores.map(({ labels }) => labels.market).sort()).toEqual(['CAISO', 'MISO']);
  for (const { value } of scores) expect(value > 0 && value <= 1).toBe(true);
  const report: { quality_metrics: { average_quality_score: number } } = JSON.parse(
    await (await product.get('data-quality', '/quality/report?hours=24&market=MISO')).text(),
  );
  const miso = scores.find(({ labels }) => labels.market === 'MISO');
  expect(miso?.value).toBeCloseTo(report.quality_metrics.average_quality_score, 9);
  expect((await scrape('normalization')).has('cache_hit_ratio')).toBe(false);
}, 60_000);
