// All that an operator and the way to it can do to a request, over real TLS and HTTP, to a whole feed: what
// the run is called, what the operator of the product reads, that not one record of it is on the log, and
// that the day is whole and there once when the operator is well again.

import { beforeAll, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import type { Run } from '../../actors/live/run.ts';
import { onLog } from '../simulation/live-month.ts';
import { NAME, type OverHttp, overHttp } from '../simulation/over-http.ts';
import {
  type CertificateKind,
  type OperatorCertificates,
  operatorCertificates,
} from '../support/operators/certificates.ts';
import { type Answer, Oasis, oasisError, throttlePage } from '../support/operators/oasis.ts';
import type { Play } from '../support/operators/stand-in.ts';
import { recording } from '../support/recordings.ts';
import { temporaryDirs } from '../support/temporary.ts';
import { zipOf } from '../support/zips.ts';

const HOUR = 3_600_000;
/** 14:00 of a day of 25 hours that has begun at 07:00Z; the day-ahead prices of the next are out. */
const START = Date.parse('2026-11-01T21:00:00Z');
const directory = temporaryDirs('carbon-faults');
let certificates: OperatorCertificates;
beforeAll(() => {
  certificates = operatorCertificates(NAME);
});

const cents = (node: string, startMs: number) => (Bun.hash.xxHash32(`${node} ${startMs}`) % 20_000) - 3_000;
const book = {
  versions: (_: string, node: string, at: number) => [{ outMs: at - 40 * HOUR, cents: cents(node, at) }],
};

interface Fault {
  readonly what: string;
  /** What comes instead of the first good answer. */
  readonly play: (good: Answer) => Play;
  readonly outcome: Run['outcome'];
  readonly error: RegExp;
  /** How long the answer is waited for, where that is what it is about. */
  readonly timeoutMs?: number;
  /** Not asked again before so much later. */
  readonly pauseMs?: number;
  readonly certificate?: CertificateKind;
  readonly resolve?: (n: number) => readonly string[];
}

const bytes = (text: string) => new TextEncoder().encode(text);
const html = (text: string): Play => ({
  status: 200,
  headers: { 'content-type': 'text/html' },
  body: bytes(text),
});
const to = (location: string): Play => ({ status: 302, headers: { location }, body: new Uint8Array() });
const BOMB = zipOf({ 'a.csv': new Uint8Array(60_000_000) });
const half = ({ body }: Answer) => Math.floor(body.length / 2);

const FAULTS: readonly Fault[] = [
  {
    what: 'the throttle page under 429 with Retry-After in seconds',
    play: () => throttlePage(429, '900'),
    outcome: 'throttled',
    error: /^CAISO asks to wait 5 seconds between requests$/,
    pauseMs: 900_000,
  },
  {
    what: 'the throttle page under 200 with Retry-After as a date',
    play: () => throttlePage(200, new Date(START + 2_000_000).toUTCString()),
    outcome: 'throttled',
    error: /^CAISO asks to wait/,
    pauseMs: 1_900_000,
  },
  {
    what: 'the throttle page inside a zip',
    play: (good) => ({ ...good, body: zipOf({ 'a.html': throttlePage(200).body }) }),
    outcome: 'throttled',
    error: /^CAISO asks to wait/,
  },
  {
    what: 'ERR 1000',
    play: () => oasisError(1000),
    outcome: 'no_data',
    error: /^CAISO error 1000: No data returned/,
  },
  {
    what: 'ERR 1001',
    play: (good) => ({
      ...good,
      body: zipOf({ 'INVALID_REQUEST.xml': readFileSync(recording('INVALID_REQUEST_1001')) }),
    }),
    outcome: 'invalid',
    error: /^CAISO error 1001: Invalid Parameters/,
  },
  { what: 'ERR 1004', play: () => oasisError(1004), outcome: 'invalid', error: /^CAISO error 1004/ },
  {
    what: 'ERR 1015, in processing',
    play: () => oasisError(1015),
    outcome: 'failed',
    error: /^in_process: CAISO error 1015/,
  },
  {
    what: 'ERR 1010',
    play: () => oasisError(1010),
    outcome: 'failed',
    error: /^operator_error: CAISO error 1010/,
  },
  { what: '500', play: () => ({ ...html('oops'), status: 500 }), outcome: 'failed', error: /^HTTP 500$/ },
  {
    what: '503 with Retry-After',
    play: () => ({ ...html(''), status: 503, headers: { 'retry-after': '3000' } }),
    outcome: 'failed',
    error: /^HTTP 503$/,
    pauseMs: 3_000_000,
  },
  {
    what: '403',
    play: () => ({ ...html('no'), status: 403 }),
    outcome: 'invalid',
    error: /^HTTP 403: not permitted$/,
  },
  {
    what: 'a body cut in the middle',
    play: (good) => ({ ...good, mishap: { kind: 'cut', after: half(good) } }),
    outcome: 'failed',
    error: /^network: the connection to oasis\.example was lost before the whole answer came/,
  },
  {
    what: 'a connection reset in the middle',
    play: (good) => ({ ...good, mishap: { kind: 'reset', after: half(good) } }),
    outcome: 'failed',
    error: /^network: the connection to oasis\.example was lost/,
  },
  {
    what: 'a drip',
    play: (good) => ({ ...good, mishap: { kind: 'drip', everyMs: 50 } }),
    timeoutMs: 1_000,
    outcome: 'failed',
    error: /^timeout: oasis\.example gave no whole answer in 1000 ms \(limits\.timeout_ms\)$/,
  },
  {
    what: 'silence',
    play: (good) => ({ ...good, mishap: { kind: 'silence' } }),
    timeoutMs: 1_000,
    outcome: 'failed',
    error: /^timeout: oasis\.example gave no whole answer/,
  },
  {
    what: 'a cut zip of an honest length',
    play: (good) => ({ ...good, body: good.body.subarray(0, half(good)) }),
    outcome: 'failed',
    error: /^truncated: the zip ends before its directory/,
  },
  {
    what: 'the recorded interrupted download, whose beginning is lost',
    play: (good) => ({ ...good, body: readFileSync(recording('TRUNCATED')) }),
    outcome: 'failed',
    error: /^unknown_format: no feed reads its \d+ bytes of 'application\/x-zip-compressed'/,
  },
  {
    what: 'a zip with a byte of its prices changed',
    play: (good) => ({ ...good, body: damaged(good.body) }),
    outcome: 'failed',
    error: /^malformed: .* in the zip is damaged/,
  },
  {
    what: 'a zip bomb',
    play: (good) => ({ ...good, body: BOMB }),
    outcome: 'failed',
    error: /^too_large: the zip holds packed more than 200:1$/,
  },
  {
    what: 'a body that unpacks beyond the bound',
    play: (good) => ({
      ...good,
      headers: { 'content-encoding': 'gzip' },
      body: gzipSync(Buffer.alloc(30_000_000)),
    }),
    outcome: 'failed',
    error: /^too_large: the answer of oasis\.example is larger than 4000000 bytes unpacked/,
  },
  {
    what: 'a page of the wrong type',
    play: () => html('<html><title>Maintenance</title></html>'),
    outcome: 'failed',
    error: /^unknown_format: no feed reads its 39 bytes of 'text\/html', which begin '<html><title>M/,
  },
  {
    what: 'an empty answer',
    play: (good) => ({ ...good, body: new Uint8Array() }),
    outcome: 'failed',
    error: /^unknown_format: no feed reads its 0 bytes of/,
  },
  ...(
    [
      ['off the list', 'https://elsewhere.example/a', 'https://elsewhere.example'],
      ['to http', `http://${NAME}/a`, `http://${NAME}`],
      ['to a private address', 'https://10.0.0.7/a', 'https://10.0.0.7'],
      ['to the metadata of a cloud', 'http://169.254.169.254/latest/meta-data', 'http://169.254.169.254'],
    ] as const
  ).map(
    ([where, location, origin]): Fault => ({
      what: `a redirect ${where}`,
      play: () => to(location),
      outcome: 'failed',
      error: new RegExp(`^refused_host: ${RegExp.escape(origin)} is not a base URL of connectors.yaml`),
    }),
  ),
  {
    what: 'a name that is gone from the DNS',
    play: (good) => good,
    resolve: (n) => (n === 0 ? [] : ['127.0.0.1']),
    outcome: 'failed',
    error: /^network: oasis\.example has no address/,
  },
  ...(
    [
      ['expired', /^certificate: .*CERT_HAS_EXPIRED/],
      ['other-name', /^certificate: .*ALTNAME_INVALID/],
      ['self-signed', /^certificate: .*SELF_SIGNED/],
    ] as const
  ).map(
    ([certificate, error]): Fault => ({
      what: `a certificate: ${certificate}`,
      play: (good) => good,
      certificate,
      outcome: 'failed',
      error,
    }),
  ),
];

function damaged(zip: Uint8Array): Uint8Array {
  const copy = new Uint8Array(zip);
  const at = Math.floor(copy.length / 3);
  copy[at] = (copy[at] ?? 0) ^ 0xff;
  return copy;
}

for (const { what, play, outcome, error, timeoutMs, pauseMs, certificate, resolve } of FAULTS) {
  test(`${what}: ${outcome}`, async () => {
    const oasis = new Oasis(book);
    const times: number[] = [];
    let resolved = 0;
    await using of: OverHttp = await overHttp({
      seed: 7,
      startMs: START,
      dir: directory(),
      identity: certificates.of[certificate ?? 'good'],
      ...(timeoutMs === undefined ? {} : { plan: { timeoutMs } }),
      network: {
        ca: certificates.ca,
        resolve: async () => resolve?.(resolved++) ?? ['127.0.0.1'],
      },
      play(asked, nowMs) {
        times.push(nowMs);
        const good = oasis.answer(asked.url, nowMs);
        return times.length === 1 && resolve === undefined ? play(good) : good;
      },
    });
    await of.until('the first run', () => of.runs.length >= 1);
    const [first] = of.runs;
    expect([first?.outcome, first?.appended, first?.rows]).toEqual([outcome, 0, 0]);
    expect(first?.error).toMatch(error);
    expect(onLog(of.store, 'CAISO').size).toBe(0);
    if (certificate !== undefined) return expect(of.server.asked).toEqual([]);

    await of.until('both days whole', () => onLog(of.store, 'CAISO').size === 2 * (25 + 24));
    for (const [key, { versions }] of onLog(of.store, 'CAISO')) {
      const [, node = '', at = ''] = key.split('|');
      expect(versions.map((each) => each.cents)).toEqual([cents(node, Number(at))]);
    }
    // The window that failed, not the other one, which is asked for meanwhile.
    const next = () => of.runs.find((run) => run !== first && run.window === first?.window);
    await of.until('it is noted', () => next() !== undefined);
    const again = next();
    const waited = (again?.startedMs ?? 0) - (first?.endedMs ?? 0);
    expect(waited).toBeGreaterThanOrEqual(pauseMs ?? 40_000);
    expect(oasis.throttled).toBe(0);
    if (outcome === 'throttled' && pauseMs !== undefined) {
      // The whole host is left alone.
      expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(pauseMs);
    }
  });
}
