// Looking inside the real process after the sample: the tree adds up, pages are whole, an instrument shows
// what it holds, and what it shows equals what ClickHouse answers. Events stand in every place they go to.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SERVICES } from '../../runtime/services.ts';
import { type Product, startProduct } from '../support/product.ts';
import { until } from '../support/until.ts';

let product: Product;

beforeAll(async () => {
  product = await startProduct();
  await product.sampleIn();
}, 400_000);

afterAll(async () => {
  await product[Symbol.asyncDispose]();
}, 60_000);

/** Answers are read as JSON whose shape is what is tested. */
type Json = ReturnType<typeof JSON.parse>;

async function ask(path: string, service: 'aggregation' | 'projection' = 'aggregation'): Promise<Json> {
  const response = await product.get(service, path);
  return { code: response.status, ...JSON.parse(await response.text()) };
}

test('the tree counts what lives, with states and budgets', async () => {
  const { tree } = await ask('/actors');
  const [markets, services, connectors, sinks] = tree.nodes;
  for (const market of markets.nodes) {
    const children = market.nodes.map((shard: Json) => shard.children);
    expect(children.reduce((sum: number, each: number) => sum + each, 0)).toBe(market.instruments);
    expect(Math.max(...children)).toBeLessThanOrEqual(256);
    expect(market.budget_left).toBeGreaterThan(0);
    for (const shard of market.nodes) expect(shard.budget_left).toBeGreaterThan(0);
    expect((await ask(`/actors/${market.path.split('/')[1]}`)).instruments).toBe(market.instruments);
  }
  expect(markets.instruments).toBeGreaterThan(3_000);
  expect(services.nodes.map((each: Json) => each.path)).toEqual(
    SERVICES.map(({ name }) => `services/${name}`),
  );
  for (const service of services.nodes) {
    expect(service.state).toBe('running');
    expect(service.budget_left).toBeGreaterThan(0);
    for (const router of service.nodes) {
      expect(router.path).toStartWith(`${service.path}/`);
      expect(router).toMatchObject({ state: 'polling', stands_still: false });
      expect(Date.parse(router.since)).toBeLessThanOrEqual(Date.now());
    }
  }
  expect(connectors.nodes).toMatchObject([{ path: 'connectors/sample', state: 'finished' }]);
  expect(sinks.nodes.map((each: Json) => each.state)).toEqual(['running', 'running']);
}, 60_000);

test('pages of a market hold every instrument once, in order', async () => {
  const ids: string[] = [];
  for (let after = ''; ; ) {
    const page = await ask(
      `/actors/CAISO?limit=700${after === '' ? '' : `&after=${encodeURIComponent(after)}`}`,
    );
    ids.push(...page.rows.map((row: Json) => row.instrument_id));
    if (page.next === null) {
      expect(ids).toHaveLength(page.instruments);
      expect(Object.keys(page.watermarks).length).toBeGreaterThan(0);
      const lags: number[] = Object.values(page.lag);
      expect(lags.every((lag) => lag === 0)).toBe(true);
      break;
    }
    after = page.next;
  }
  expect(ids).toEqual([...new Set(ids)].sort());
}, 60_000);

test('an instrument shows what it holds and where it is; a bare location all of its runs', async () => {
  const one = await ask('/actors/CAISO/DAM:TH_SP15_GEN-APND');
  expect(one).toMatchObject({
    code: 200,
    instrument_id: 'CAISO:DAM:TH_SP15_GEN-APND',
    state: 'running',
    mailbox: { waiting: 0 },
    restarts: 0,
    last_error: null,
  });
  for (const stage of ['enrichment', 'aggregation', 'data-quality']) {
    expect(one[stage].last_offset).toBeGreaterThanOrEqual(0);
    expect(one[stage].committed_position).toBeGreaterThan(one[stage].last_offset);
  }
  expect(one.aggregation.last_ticks).toHaveLength(5);
  expect(Object.keys(one.aggregation.rolling).length).toBeGreaterThan(10);
  expect(one.enrichment.volatility_category).toBeString();
  const runs = await ask('/actors/CAISO/TH_SP15_GEN-APND');
  const shown = runs.instruments ?? [runs];
  expect(shown.map((each: Json) => each.run)).toContain('DAM');
  for (const each of shown) expect(each.location).toBe('TH_SP15_GEN-APND');
}, 60_000);

test('bars shown equal the rows that a query answers', async () => {
  for (const market of ['CAISO', 'MISO']) {
    const { rows } = await ask(`/actors/${market}?limit=1000`);
    const some = rows.filter((_: Json, index: number) => index % 97 === 0);
    for (const { instrument_id: id } of some) {
      const [, run, ...rest] = id.split(':');
      const location = rest.join(':');
      const { aggregation } = await ask(`/actors/${market}/${encodeURIComponent(`${run}:${location}`)}`);
      for (const [size, bars] of Object.entries<Json>(aggregation.bars)) {
        const query = new URLSearchParams({ market, run, delivery_location: location, bar_size: size });
        const { results } = await ask(`/query/ohlc?${query}&limit=1000`, 'projection');
        for (const bar of bars) {
          const row = results.find((each: Json) => each.bar_start === bar.bar_start);
          expect(`${id} ${size} ${bar.bar_start} ${row === undefined}`).toEndWith('false');
          const { open, high, low, close, volume, twap, count, revision, final } = bar;
          expect({ open, high, low, close, volume, twap, count, revision, final }).toEqual({
            open: row.open_price,
            high: row.high_price,
            low: row.low_price,
            close: row.close_price,
            volume: row.volume,
            twap: row.twap,
            count: row.trade_count,
            revision: row.revision,
            final: row.final,
          });
        }
      }
    }
  }
}, 120_000);

test('an unknown instrument or market is 404 with what is near', async () => {
  const near = await ask('/actors/CAISO/DAM:TH_SP15_GEN-APNX');
  expect([near.code, near.near[0]]).toEqual([404, '/actors/CAISO/DAM:TH_SP15_GEN-APND']);
  expect((await ask('/actors/ERCOT')).markets).toEqual(['CAISO', 'MISO']);
  expect((await ask('/actors/CAISO/zzzzqqq')).near).toEqual([]);
}, 60_000);

test('starts are counted by shard; an event stands in memory, file and standard output', async () => {
  const { events, last } = await ask('/events?since=0&limit=5000');
  const starts = events.filter((each: Json) => each.kind === 'start' && each.service === 'markets');
  const told = starts.map((each: Json) => Number(/^(\d+) instruments started/.exec(each.decision)?.[1]));
  const { tree } = await ask('/actors');
  expect(told.reduce((sum: number, each: number) => sum + each, 0)).toBe(tree.nodes[0].instruments);
  expect(starts.length).toBeLessThan(200);
  expect(events.map((each: Json) => each.seq)).toEqual(events.map((_: Json, index: number) => index + 1));
  for (const { name } of SERVICES) {
    const actor = `services/${name}`;
    const { events: own } = await ask(`/events?actor=${actor}&kind=start`);
    expect(own.length).toBeGreaterThan(0);
    const file = readFileSync(join(product.dir, 'logs', `${name}.log`), 'utf8')
      .trimEnd()
      .split('\n');
    for (const event of own) {
      const same = (line: Json) => line.seq === event.seq && line.kind === 'start' && line.actor === actor;
      expect(file.map((line): Json => JSON.parse(line)).filter(same)).toHaveLength(1);
      expect(product.lines.filter(same)).toHaveLength(1);
    }
  }
  const tail = await ask(`/events?since=${last - 3}`);
  expect(tail.events.map((each: Json) => each.seq)).toEqual([last - 2, last - 1, last]);
  expect((await ask('/events?kind=nonsense')).code).toBe(422);
  expect((await ask('/events?since=yesterday')).code).toBe(422);
}, 60_000);

test('the stream goes on from an id, carries what happens, and lets its reader go', async () => {
  const { last } = await ask('/events?limit=1');
  const leave = new AbortController();
  const response = await product.get('aggregation', '/events/stream', {
    headers: { 'last-event-id': String(last - 5) },
    signal: leave.signal,
  });
  expect(response.headers.get('content-type')).toStartWith('text/event-stream');
  let text = '';
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true });
  })().catch(() => {});
  await until('the last one arrives', () => text.includes(`id: ${last}\n`));
  const ids = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
  expect(ids.slice(0, 5)).toEqual([last - 4, last - 3, last - 2, last - 1, last]);
  for (const [, data = ''] of text.matchAll(/^data: (.*)$/gm)) expect(JSON.parse(data).kind).toBeString();
  leave.abort();
  await reading;
}, 60_000);

test('readers of the stream are bounded, and a place is free again when one leaves', async () => {
  const leaves: AbortController[] = [];
  const open = async (): Promise<number> => {
    const leave = new AbortController();
    leaves.push(leave);
    return (await product.get('enrichment', '/events/stream', { signal: leave.signal })).status;
  };
  for (let reader = 0; reader < 64; reader += 1) expect(await open()).toBe(200);
  expect(await open()).toBe(503);
  leaves[0]?.abort();
  await until('a place is free', async () => (await open()) === 200);
  for (const leave of leaves) leave.abort();
}, 60_000);
