// The way out against a stand-in that speaks TLS on loopback: whose certificate is accepted, which address is
// connected to, where a redirect may lead, and every bound. The names are of the public kind; the resolver
// that says where they are is the test's.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { gzipSync } from 'node:zlib';
import { systemClock } from '../../../../runtime/clock.ts';
import { type FetchWish, systemFetch } from '../../../../runtime/live/fetch.ts';
import { FetchFault } from '../../../../runtime/live/fetch-fault.ts';
import {
  CERTIFICATES,
  type CertificateKind,
  type OperatorCertificates,
  operatorCertificates,
} from '../../../support/operators/certificates.ts';
import { type Play, type StandIn, standIn } from '../../../support/operators/stand-in.ts';

const NAME = 'oasis.example';
const KEY = 'key-of-the-tests-9f31';
const LOOPBACK = ['127.0.0.1'];

let certificates: OperatorCertificates;
let play: (path: string) => Play;
const servers: Record<string, StandIn> = {};
const text = (body: string): Play => ({ status: 200, headers: {}, body: new TextEncoder().encode(body) });
const redirect = (location: string): Play => ({ ...text(''), status: 302, headers: { location } });

beforeAll(async () => {
  certificates = operatorCertificates(NAME);
  for (const kind of CERTIFICATES) {
    servers[kind] = await standIn(certificates.of[kind], ({ url }) => play(url.pathname));
  }
  servers.plain = await standIn(null, ({ url }) => play(url.pathname));
});

afterAll(async () => {
  for (const each of Object.values(servers)) await each[Symbol.asyncDispose]();
});

function server(kind: CertificateKind | 'plain'): StandIn {
  const found = servers[kind];
  if (found === undefined) throw new Error(kind);
  return found;
}

function origin(kind: CertificateKind | 'plain', name = NAME): string {
  return `${kind === 'plain' ? 'http' : 'https'}://${name}:${server(kind).port}`;
}

function wish(of: Partial<FetchWish> = {}): FetchWish {
  return {
    url: `${origin('good')}/oasisapi/SingleZip?a=b`,
    headers: { 'x-key': KEY },
    origins: new Set(CERTIFICATES.map((kind) => origin(kind))),
    privateAddresses: true,
    timeoutMs: 5_000,
    bytesMax: 100_000,
    turn: async () => {},
    ...of,
  };
}

async function ask(of: Partial<FetchWish>, resolve = async (_: string) => LOOPBACK) {
  const fetch = systemFetch(systemClock, { resolve, ca: certificates.ca });
  return fetch(wish(of), new AbortController().signal);
}

/** `code: message` of what goes wrong. Never with the key. */
async function fault(of: Partial<FetchWish>, resolve?: (host: string) => Promise<string[]>): Promise<string> {
  const error: unknown = await ask(of, resolve).then(
    () => new Error('it was answered'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof FetchFault)) throw error;
  expect(`${Bun.inspect(error)}`).not.toContain(KEY);
  return `${error.code}: ${error.message}`;
}

describe('certificates', () => {
  const REFUSED: readonly (readonly [CertificateKind, RegExp])[] = [
    [
      'expired',
      /^certificate: the certificate of oasis\.example is refused \(CERT_HAS_EXPIRED\): it has exp/,
    ],
    ['other-name', /^certificate: .*ERR_TLS_CERT_ALTNAME_INVALID\): it is made out to another name/],
    ['self-signed', /^certificate: .*DEPTH_ZERO_SELF_SIGNED_CERT\): it is signed by nobody/],
    ['strange-issuer', /^certificate: .*UNABLE_TO_VERIFY_LEAF_SIGNATURE\): its issuer is not trusted here/],
  ];
  for (const [kind, message] of REFUSED) {
    test(`${kind}: refused before anything is sent, in words`, async () => {
      play = () => text('prices');
      expect(await fault({ url: `${origin(kind)}/a` })).toMatch(message);
      expect(server(kind).asked).toEqual([]);
    });
  }

  test('an authority that the machine does not know is refused by the product as it is', async () => {
    const fetch = systemFetch(systemClock, { resolve: async () => LOOPBACK, ca: null });
    const thrown = fetch(wish(), new AbortController().signal);
    await expect(thrown).rejects.toMatchObject({ code: 'certificate' });
  });

  test('a variable that switches verification off changes nothing', async () => {
    const script = `
      import { systemClock } from './runtime/clock.ts';
      import { systemFetch } from './runtime/live/fetch.ts';
      const fetch = systemFetch(systemClock, { resolve: async () => ['127.0.0.1'], ca: null });
      const url = ${JSON.stringify(`${origin('self-signed')}/a`)};
      const wish = { url, headers: {}, origins: new Set([new URL(url).origin]), privateAddresses: true,
        timeoutMs: 5000, bytesMax: 1000, turn: async () => {} };
      const found = await fetch(wish, new AbortController().signal).then(() => 'answered', (e) => e.code);
      console.log(found);`;
    const run = Bun.spawn(['bun', '-e', script], {
      env: { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: '0' },
      stderr: 'ignore',
    });
    expect((await new Response(run.stdout).text()).trim()).toBe('certificate');
  });
});

describe('the address that was checked is the one that is asked', () => {
  test('under the name: Host, handshake and certificate', async () => {
    play = () => text('prices');
    const before = server('good').asked.length;
    const { reply } = await ask({});
    expect(new TextDecoder().decode(reply.bytes)).toBe('prices');
    const asked = server('good').asked.slice(before);
    expect(asked.map(({ url }) => url.href)).toEqual([wish().url]);
    expect(server('good').names.at(-1)).toBe(NAME);
  });

  test('a resolver that answers otherwise the second time is not asked a second time', async () => {
    play = () => text('prices');
    const answers = [['127.0.0.1'], ['169.254.169.254']];
    const hosts: string[] = [];
    await ask({}, async (host) => {
      hosts.push(host);
      return answers[hosts.length - 1] ?? [];
    });
    expect(hosts).toEqual([NAME]);
  });

  test('a name that is public for the check cannot lead to loopback by what the system says', async () => {
    // What matters is that nothing arrives at loopback, where `localhost` of the system would have led.
    const before = server('good').asked.length;
    const url = `https://localhost:${server('good').port}/a`;
    await fault(
      { url, origins: new Set([new URL(url).origin]), privateAddresses: false, timeoutMs: 300 },
      async () => ['8.8.8.8'],
    );
    expect(server('good').asked).toHaveLength(before);
  });

  test('the next address is tried when nobody listens at one', async () => {
    play = () => text('prices');
    const { reply } = await ask({}, async () => ['127.0.0.2', '127.0.0.1']);
    expect(reply.status).toBe(200);
  });

  for (const address of [
    ...['127.0.0.1', '10.1.2.3', '172.16.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1', '0.0.0.0'],
    ...['::1', '::', 'fe80::1', 'fd00::1', '::ffff:127.0.0.1', '::ffff:169.254.169.254', '64:ff9b::7f00:1'],
    ...['fd00:ec2::254', '2002:7f00:1::', '255.255.255.255', '224.0.0.1', 'ff02::1'],
  ]) {
    test(`${address} is refused, also beside a public one`, async () => {
      const before = server('good').asked.length;
      const said = await fault({ privateAddresses: false }, async () => ['8.8.8.8', address]);
      expect(said).toStartWith(`refused_address: ${NAME} is at ${address}, which is not a public address`);
      expect(said).toContain('allow_private_addresses');
      expect(server('good').asked).toHaveLength(before);
    });
  }

  test('an address that stands in the URL is judged as well', async () => {
    const url = `https://127.0.0.1:${server('good').port}/a`;
    const said = await fault({ url, origins: new Set([new URL(url).origin]), privateAddresses: false });
    expect(said).toStartWith('refused_address: 127.0.0.1 is at 127.0.0.1');
  });

  test('a name without an address, or unknown to the DNS', async () => {
    expect(await fault({}, async () => [])).toBe(`network: ${NAME} has no address: ask its DNS`);
    const unknown = async () => {
      throw Object.assign(new Error('queryA ENOTFOUND'), { code: 'ENOTFOUND' });
    };
    expect(await fault({}, unknown)).toBe(
      `network: the name ${NAME} cannot be resolved (ENOTFOUND): check the DNS of this machine`,
    );
  });
});

describe('redirects', () => {
  test('within the list: followed, and each one takes a turn', async () => {
    play = (path) => (path === '/end' ? text('prices') : redirect('/end'));
    const turns: string[] = [];
    const { reply } = await ask({ turn: async (host) => void turns.push(host) });
    expect([new TextDecoder().decode(reply.bytes), turns]).toEqual(['prices', [NAME, NAME]]);
  });

  for (const [what, to] of [
    ['off the list', () => 'https://elsewhere.example/a'],
    ['to http', () => `http://${NAME}:${server('good').port}/a`],
    ['to another port', () => `https://${NAME}:1/a`],
    ['to the metadata of a cloud', () => 'http://169.254.169.254/latest'],
  ] as const) {
    test(`${what}: refused, and nobody is asked`, async () => {
      play = () => redirect(to());
      const turns: string[] = [];
      const said = await fault({ turn: async (host) => void turns.push(host) });
      expect(said).toStartWith(`refused_host: ${new URL(to()).origin} is not a base URL of connectors.yaml`);
      expect(turns).toEqual([NAME]);
    });
  }

  test('the name of each hop is resolved for itself, and refused for itself', async () => {
    const other = origin('good', `b.${NAME}`);
    play = () => redirect(`${other}/a`);
    const hosts: string[] = [];
    const said = await fault({ origins: new Set([origin('good'), other]) }, async (host) => {
      hosts.push(host);
      return host === NAME ? LOOPBACK : [];
    });
    expect(hosts).toEqual([NAME, `b.${NAME}`]);
    expect(said).toStartWith('network: b.oasis.example has no address');
  });

  test('the key is not sent along to another origin of the list', async () => {
    const other = origin('good', `b.${NAME}`);
    play = (path) => (path === '/end' ? text('prices') : redirect(`${other}/end`));
    const before = server('good').asked.length;
    await ask({ origins: new Set([origin('good'), other]) });
    const keys = server('good')
      .asked.slice(before)
      .map(({ headers }) => headers['x-key']);
    expect(keys).toEqual([KEY, undefined]);
  });

  test('at most three, and none to what is no web address', async () => {
    play = () => redirect('/again');
    const before = server('good').asked.length;
    expect(await fault({})).toBe(`refused_host: ${NAME} redirects more than 3 times`);
    expect(server('good').asked).toHaveLength(before + 4);
    play = () => redirect('file:///etc/passwd');
    expect(await fault({})).toBe(`refused_host: ${NAME} redirects to what is no web address`);
  });
});

describe('bounds', () => {
  test('a body larger than allowed, plain', async () => {
    play = () => text('x'.repeat(100_001));
    expect(await fault({})).toBe(
      `too_large: the answer of ${NAME} is larger than 100000 bytes unpacked (limits.response_mb_max)`,
    );
  });

  test('a small body that unpacks to a large one', async () => {
    const body = gzipSync(Buffer.alloc(50_000_000));
    play = () => ({ status: 200, headers: { 'content-encoding': 'gzip' }, body });
    expect(body.length).toBeLessThan(100_000);
    expect(await fault({})).toStartWith('too_large:');
  });

  for (const [what, mishap] of [
    ['silence', { kind: 'silence' }],
    ['a drip', { kind: 'drip', everyMs: 20 }],
  ] as const) {
    test(`${what}: given up`, async () => {
      play = () => ({ ...text('x'.repeat(5_000)), mishap });
      expect(await fault({ timeoutMs: 250 })).toBe(
        `timeout: ${NAME} gave no whole answer in 250 ms (limits.timeout_ms)`,
      );
    });
  }

  test('a resolver that never answers: given up', async () => {
    expect(await fault({ timeoutMs: 100 }, () => new Promise(() => {}))).toStartWith('timeout:');
  });

  test('a stop is passed on as it is', async () => {
    play = () => ({ ...text('x'), mishap: { kind: 'silence' } });
    const stop = new AbortController();
    const fetch = systemFetch(systemClock, { resolve: async () => LOOPBACK, ca: certificates.ca });
    const asked = fetch(wish({ turn: async () => stop.abort(new Error('the process drains')) }), stop.signal);
    await expect(asked).rejects.toThrow('the process drains');
  });
});

describe('a body that is not whole', () => {
  for (const kind of ['cut', 'reset'] as const) {
    test(`${kind} in the middle`, async () => {
      play = () => ({ ...text('x'.repeat(5_000)), mishap: { kind, after: 1_000 } });
      expect(await fault({})).toMatch(
        /^network: the connection to oasis\.example was lost before the whole answer came \(ECONNRESET\)$/,
      );
    });
  }

  test('chunks without an end, and a packed one without its end', async () => {
    const body = new TextEncoder().encode('3\r\nabc\r\n');
    const headers = { 'transfer-encoding': 'chunked', 'content-length': '' };
    play = () => ({ status: 200, headers, body });
    expect(await fault({})).toStartWith('network:');
    const packed = gzipSync('x'.repeat(90_000));
    play = () => ({ status: 200, headers: { 'content-encoding': 'gzip' }, body: packed.subarray(0, -20) });
    expect(await fault({})).toBe(`network: ${NAME} sent a packed answer that is damaged (ZlibError)`);
  });

  test('nobody listens', async () => {
    const port = server('plain').port;
    const gone = await standIn(null, () => text(''));
    const url = `http://${NAME}:${gone.port}/a`;
    await gone[Symbol.asyncDispose]();
    expect(gone.port).not.toBe(port);
    expect(await fault({ url, origins: new Set([new URL(url).origin]) })).toBe(
      `network: ${NAME} cannot be reached (ECONNREFUSED): check the way out of this machine`,
    );
  });
});
