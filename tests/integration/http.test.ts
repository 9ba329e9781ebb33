// Every route of every port of the real process, enumerated from what the process itself publishes: JSON,
// `/x/` as `/x`, HEAD as GET, wrong methods, limits, and who may change something.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { SERVICES } from '../../runtime/services.ts';
import type { ServiceName } from '../../runtime/views.ts';
import { copySampledData, type Product, startProduct, temporaryDirectory } from '../support/product.ts';

const NAMES = SERVICES.map(({ name }) => name);
const IN_PATH: Readonly<Record<string, string>> = {
  market: 'CAISO',
  instrument: 'DAM:TH_SP15_GEN-APND',
};
const dir = temporaryDirectory();
let product: Product;

beforeAll(async () => {
  await copySampledData(dir.path);
  product = await startProduct({ dir: dir.path });
  await product.sampleIn();
}, 400_000);

afterAll(async () => {
  expect(await product.stop()).toBe(0);
  dir[Symbol.dispose]();
}, 60_000);

interface Route {
  readonly service: ServiceName;
  readonly method: string;
  readonly path: string;
}

async function routes(): Promise<Route[]> {
  const found: Route[] = [];
  for (const service of NAMES) {
    const document: { paths: Record<string, Record<string, unknown>> } = JSON.parse(
      await (await product.get(service, '/openapi.json')).text(),
    );
    for (const [pattern, methods] of Object.entries(document.paths)) {
      const path = pattern.replace(/\{(\w+)\}/g, (_, name) => IN_PATH[name] ?? `no-${name}`);
      for (const method of Object.keys(methods)) found.push({ service, method: method.toUpperCase(), path });
    }
  }
  return found;
}

async function reads(): Promise<Route[]> {
  return (await routes()).filter(({ method, path }) => method === 'GET' && path !== '/events/stream');
}

test('GET / lists exactly the routes of the document', async () => {
  const documented = await routes();
  for (const service of NAMES) {
    const { endpoints, service: named } = await product.json(service, '/');
    expect(named).toBe(service);
    const listed = new Set(Array.isArray(endpoints) ? endpoints.map(String) : []);
    const own = documented.filter((each) => each.service === service);
    expect(listed.size).toBe(own.length + 1);
    expect(listed.has('GET /openapi.json')).toBe(true);
    expect(own.length).toBeGreaterThan(12);
  }
}, 60_000);

/** A process without connectors knows none by name; what needs a query says so. */
function statusOf(path: string): number {
  if (path.startsWith('/connectors/') || path.startsWith('/backfill/')) return 404;
  return path === '/completeness' ? 422 : 200;
}

test('every readable route answers 200, in JSON but for /metrics', async () => {
  for (const { service, path } of await reads()) {
    const response = await product.get(service, path);
    const text = await response.text();
    expect(`${service}${path} ${response.status}`).toBe(`${service}${path} ${statusOf(path)}`);
    if (path === '/metrics')
      expect(response.headers.get('content-type')).toStartWith('text/plain; version=0.0.4');
    else expect(typeof JSON.parse(text)).toBe('object');
  }
}, 60_000);

test('/x/ answers as /x, and HEAD as GET without a body', async () => {
  for (const { service, path } of await reads()) {
    const plain = await product.get(service, path, { redirect: 'manual' });
    const slashed = await product.get(service, path === '/' ? '//' : `${path}/`, { redirect: 'manual' });
    const head = await product.get(service, path, { method: 'HEAD' });
    expect(`${path}/ ${slashed.status}`).toBe(`${path}/ ${plain.status}`);
    expect(shape(await slashed.text())).toEqual(shape(await plain.text()));
    expect(`HEAD ${path} ${head.status} ${await head.text()}`).toBe(`HEAD ${path} ${plain.status} `);
  }
}, 60_000);

/** Keys of the answer: values such as times differ between two questions. */
function shape(text: string): unknown {
  return text.startsWith('{') ? Object.keys(JSON.parse(text)) : text.split('\n').length > 10;
}

test('a wrong method is 405 with those that are right', async () => {
  for (const { service, method, path } of await routes()) {
    const response = await product.get(service, path, { method: 'PUT' });
    const answer = JSON.parse(await response.text());
    expect(`${path} ${response.status} ${answer.error}`).toBe(`${path} 405 method_not_allowed`);
    expect(response.headers.get('allow')?.split(', ')).toContain(method);
  }
}, 60_000);

test('an unknown route is 404 and says where to look', async () => {
  for (const service of NAMES) {
    for (const path of [
      '/nothing',
      '/health/x',
      '/actors/CAISO/a/b/c',
      '/..%2f..%2fetc/passwd',
      '/%E0%A4%A',
    ]) {
      const response = await product.get(service, path);
      const { error, message } = JSON.parse(await response.text());
      expect([response.status, error]).toEqual([404, 'not_found']);
      expect(message).toContain('GET / lists what there is');
    }
  }
}, 60_000);

describe('what is too large or broken', () => {
  const clear = '/cache/invalidate';
  const json = { 'content-type': 'application/json' };

  test('a long address is refused and the port lives on', async () => {
    const response = await product.get('projection', `/actors/CAISO/${'x'.repeat(100_000)}`);
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(response.status).toBeLessThan(500);
    expect((await product.get('projection', '/health/live')).status).toBe(200);
  }, 60_000);

  test('a body over 1 MB is refused', async () => {
    const body = JSON.stringify({ pattern: 'x'.repeat(2_000_000) });
    const response = await product.get('projection', clear, { method: 'POST', body, headers: json });
    expect(response.status).toBe(413);
  }, 60_000);

  test.each([
    ['no JSON', '{"pattern":', 400],
    ['no object', '[1,2]', 422],
    ['a field missing', '{}', 422],
    ['a wrong type', '{"pattern":17}', 422],
    ['deep nesting', `${'['.repeat(50_000)}${']'.repeat(50_000)}`, 422],
    ['a prototype', '{"__proto__":{"pattern":"*"}}', 422],
  ])(
    'a body with %s is refused with a reason',
    async (_, body, status) => {
      const response = await product.get('projection', clear, { method: 'POST', body, headers: json });
      const answer = JSON.parse(await response.text());
      expect([response.status, typeof answer.message]).toEqual([status, 'string']);
    },
    60_000,
  );
});

describe('changes while no token is set', () => {
  const clear = (headers: Record<string, string>) =>
    product.get('projection', '/cache/clear', { method: 'POST', headers });

  test('are open to this machine', async () => {
    expect((await clear({})).status).toBe(200);
    const own = product.url('projection', '').replace(/\/$/, '');
    expect((await clear({ origin: own, 'sec-fetch-site': 'same-origin' })).status).toBe(200);
  }, 60_000);

  test.each([
    ['a page of another origin', { origin: 'https://evil.example' }],
    ['a page of another port', { origin: 'http://127.0.0.1:1' }],
    ['a page without an origin', { origin: 'null' }],
    ['a request that a browser calls cross-site', { 'sec-fetch-site': 'cross-site' }],
    ['a rebound name', { host: 'evil.example' }],
    ['a name that only begins like loopback', { host: '127.0.0.1.evil.example' }],
  ])(
    'are refused to %s',
    async (_, headers) => {
      const response = await clear(headers);
      expect([response.status, JSON.parse(await response.text()).error]).toEqual([403, 'forbidden']);
    },
    60_000,
  );
});
