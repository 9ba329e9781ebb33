// The key of MISO's Data Exchange: it goes to the operator and nowhere else. A stand-in says it back in every
// way that it can, and redirects; then everything that the product tells or keeps is searched for it.

import { beforeAll, expect, test } from 'bun:test';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { miso } from '../../actors/feeds/miso.ts';
import { connectorsView } from '../../runtime/live/connectors-view.ts';
import { Elsewhere } from '../../runtime/live/elsewhere.ts';
import { connectorPlans, missingKeys } from '../../runtime/live/settings.ts';
import { prepare, REGISTRY, StartRefused } from '../../runtime/startup.ts';
import { NAME, type OverHttp, overHttp, sourceOf } from '../simulation/over-http.ts';
import { type OperatorCertificates, operatorCertificates } from '../support/operators/certificates.ts';
import type { Play } from '../support/operators/stand-in.ts';
import { temporaryDirs } from '../support/temporary.ts';

const KEY = 'K3y-0f-The-Tests-5b1c';
const HEADER = 'ocp-apim-subscription-key';
const START = Date.parse('2026-10-03T12:00:00Z');
const directory = temporaryDirs('carbon-secrets');
let certificates: OperatorCertificates;
beforeAll(() => {
  certificates = operatorCertificates(NAME);
});

const say = (status: number, text: string, headers: Record<string, string> = {}): Play => ({
  status,
  headers: { 'content-type': 'application/json', ...headers },
  body: new TextEncoder().encode(text),
});

/** Row by row what the operator says; `elsewhere` is another origin of the list. */
const SAYINGS: readonly ((elsewhere: string) => Play)[] = [
  () => say(200, `${KEY} is what you sent`),
  () => say(200, `{"data":"${KEY}"}`),
  () => say(401, `{"message":"the subscription key ${KEY} is not known"}`),
  () => say(404, `{"statusCode":404,"message":"Empty data returned for ${KEY}"}`),
  () => say(429, KEY, { 'retry-after': KEY }),
  () => say(500, KEY, { 'content-type': KEY }),
  () => say(200, `<html>${KEY}</html>`, { 'content-type': `text/${KEY}` }),
  () => say(302, '', { location: `https://elsewhere.example/${KEY}` }),
  () => say(302, '', { location: `https://${KEY}.example/` }),
  (elsewhere) => say(302, '', { location: `${elsewhere}/taken` }),
  () => ({ ...say(200, KEY.repeat(50)), mishap: { kind: 'cut', after: 100 } }),
];

test('a key is sent to its operator alone, and is in nothing that is told or kept', async () => {
  let asked = 0;
  let port = 0;
  await using of: OverHttp = await overHttp({
    seed: 3,
    startMs: START,
    dir: directory(),
    identity: certificates.of.good,
    network: { ca: certificates.ca, resolve: async () => ['127.0.0.1'] },
    secret: (name) => (name === 'MISO_API_KEY' ? KEY : null),
    play({ url }) {
      if (url.pathname === '/taken') return say(200, '{}');
      const saying = SAYINGS[asked % SAYINGS.length];
      asked += 1;
      return saying?.(`https://b.${NAME}:${port}`) ?? say(500, '');
    },
    plan: {
      name: 'miso',
      market: miso,
      feeds: [{ name: 'exchange', source: sourceOf('miso.exchange-da-expost'), nodes: 'all', daysBack: 3 }],
    },
  });
  port = of.server.port;
  const [connector] = of.process.connectors.all;
  if (connector === undefined) throw new Error('no connector');
  Object.assign(connector.plan, {
    origins: new Set([...connector.plan.origins, `https://b.${NAME}:${port}`]),
  });
  await of.until('each was said twice', () => of.runs.length >= 2 * SAYINGS.length);

  const taken = of.server.asked.filter(({ url }) => url.pathname === '/taken');
  expect(taken.length).toBeGreaterThan(0);
  expect(taken.map(({ headers }) => headers[HEADER])).toEqual(taken.map(() => undefined));
  const others = of.server.asked.filter(({ url }) => url.pathname !== '/taken');
  expect(new Set(others.map(({ headers }) => headers[HEADER]))).toEqual(new Set([KEY]));
  for (const { url } of of.server.asked) expect(url.href).not.toContain(KEY);

  expect(await everything(of)).not.toContain(KEY);
  // The search would find it: what is searched has the words that stood beside it.
  expect(await everything(of)).toContain('***');
});

/** What is followed here is asked of no log. */
const NO_LOG = { writerState: () => Promise.reject(new Error('asked')) };

/** All that the product tells, and all that it keeps. */
async function everything(of: OverHttp): Promise<string> {
  const { connectors } = of.process;
  const { clock } = of.world;
  const where = new Elsewhere({ of: connectors, log: NO_LOG, clock, configured: new Map() });
  const view = connectorsView(connectors, clock, where);
  const told = [
    view.connector('miso'),
    view.health('miso'),
    view.runs('miso', 100),
    await view.completeness('MISO', '2026-10-02', null),
    of.process.events,
    of.runs,
  ];
  const kept = [...of.store.state('writer connectors/miso')].map(
    ([key, value]) => `${key} ${new TextDecoder().decode(value)}`,
  );
  const topics = [...of.store.topics.values()].flatMap(({ name, partitions }) =>
    Array.from({ length: partitions }, (_, partition) =>
      of.store.entries({ topic: name, partition }).map((entry) => new TextDecoder().decode(entry?.value)),
    ),
  );
  expect(kept.length).toBeGreaterThan(10);
  return JSON.stringify([told, kept, topics]);
}

test('a feed that needs a key is refused at the start without it, and the value is never said', () => {
  const dir = directory();
  mkdirSync(join(dir, 'logs'), { recursive: true });
  const file = {
    connectors: {
      miso: {
        ...connectorsFile(),
        live: { exchange: { source: 'miso.exchange-da-expost', nodes: 'all' as const, days_back: 3 } },
      },
    },
  };
  const { plans, findings } = connectorPlans(file, ['miso'], REGISTRY);
  expect(findings).toEqual([]);
  expect(missingKeys(plans, { MISO_API_KEY: KEY })).toEqual([]);
  expect(missingKeys(plans, { MISO_API_KEY: null })).toEqual([
    {
      where: 'MISO_API_KEY',
      key: 'MISO_API_KEY',
      message: 'miso/exchange (miso.exchange-da-expost) needs it: set MISO_API_KEY or MISO_API_KEY_FILE',
    },
  ]);
  const open = join(dir, 'key');
  writeFileSync(open, KEY, { mode: 0o644 });
  const refused = thrownBy(() => prepare({ CONFIG_DIR: 'configs', MISO_API_KEY_FILE: open }));
  if (!(refused instanceof StartRefused)) throw refused;
  const said = JSON.stringify(refused.refusal);
  expect(said).toContain('expected 0440 or less');
  expect(said).not.toContain(KEY);
});

function connectorsFile() {
  const { connectors } = prepare({ CONFIG_DIR: 'configs', CONNECTORS: 'miso' }).config.connectors;
  const { miso: found } = connectors;
  if (found === undefined) throw new Error('no miso');
  return found;
}

function thrownBy(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}
