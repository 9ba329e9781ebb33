// The way to the operators: https to hosts of the configuration, at addresses of the public internet, within
// bounds of time and size, unpacked bytes counted, certificates always verified. What goes wrong is a typed
// fault that is worth another try or is not.
//
// A name is resolved and checked before each request, and again at each redirect. It is resolved once more by
// the request itself, so whoever rules the allow-listed name's zone could still answer twice; the list is the
// guard against that.

import { lookup } from 'node:dns/promises';
import type { Reply } from '../../actors/feeds/source.ts';
import type { Clock } from '../host.ts';
import { isPublicAddress } from './addresses.ts';

export interface FetchWish {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Origins, such as `https://oasis.caiso.com`, that may be asked. */
  readonly origins: ReadonlySet<string>;
  readonly privateAddresses: boolean;
  readonly timeoutMs: number;
  /** Of the unpacked body. */
  readonly bytesMax: number;
  /** Awaited right before each request leaves, redirects included: the host's turn. */
  readonly turn: (host: string) => Promise<void>;
}

export interface Fetched {
  readonly reply: Reply;
  /** From the last request to its last byte. */
  readonly millis: number;
}

export class FetchFault extends Error {
  override readonly name = 'FetchFault';
  constructor(
    message: string,
    /** `timeout`, `too_large`, `refused_host`, `refused_address`, `certificate`, `network`. */
    readonly code: string,
  ) {
    super(message);
  }
}

/** Throws FetchFault. */
export type Fetch = (wish: FetchWish, signal: AbortSignal) => Promise<Fetched>;

const REDIRECTS_MAX = 3;
const AGENT = 'carbon-ingestion';
const CERTIFICATE = /cert|ssl|tls|self.signed|issuer/i;

export function systemFetch(clock: Clock): Fetch {
  return async (wish, signal) => {
    try {
      return await follow(wish, signal, clock);
    } catch (error) {
      throw error instanceof FetchFault ? error : asFault(error);
    }
  };
}

function asFault(error: unknown): FetchFault {
  const said = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const isCertificate = CERTIFICATE.test(code) || CERTIFICATE.test(said);
  return new FetchFault(said === '' ? code : said, isCertificate ? 'certificate' : 'network');
}

async function follow(wish: FetchWish, signal: AbortSignal, clock: Clock): Promise<Fetched> {
  let url = new URL(wish.url);
  for (let hops = 0; ; hops += 1) {
    await admit(url, wish);
    await wish.turn(url.hostname);
    const startedMs = clock.nowMs();
    const found = await inTime(wish.timeoutMs, signal, clock, (within) => hop(url, wish, within));
    if (!(found instanceof URL)) return { reply: found, millis: clock.nowMs() - startedMs };
    if (hops >= REDIRECTS_MAX) throw new FetchFault(`more than ${REDIRECTS_MAX} redirects`, 'refused_host');
    url = found;
  }
}

async function inTime<T>(
  timeoutMs: number,
  signal: AbortSignal,
  clock: Clock,
  work: (within: AbortSignal) => Promise<T>,
): Promise<T> {
  const timeout = new AbortController();
  const cancel = clock.after(timeoutMs, () => timeout.abort());
  try {
    return await work(AbortSignal.any([signal, timeout.signal]));
  } catch (error) {
    if (!timeout.signal.aborted || error instanceof FetchFault) throw error;
    throw new FetchFault(`no whole answer in ${timeoutMs} ms`, 'timeout');
  } finally {
    cancel();
  }
}

/** The reply, or where it sends us. */
async function hop(url: URL, wish: FetchWish, signal: AbortSignal): Promise<Reply | URL> {
  // A credential goes to the origin that it is for, never along a redirect to another.
  const own = url.origin === new URL(wish.url).origin ? wish.headers : {};
  const headers = { 'user-agent': AGENT, accept: '*/*', ...own };
  const response = await fetch(url, { redirect: 'manual', signal, headers });
  const target = response.headers.get('location');
  if (response.status < 300 || response.status >= 400 || target === null) {
    return replyOf(response, wish.bytesMax);
  }
  await response.body?.cancel();
  return new URL(target, url);
}

async function admit(url: URL, { origins, privateAddresses }: FetchWish): Promise<void> {
  if (!origins.has(url.origin)) {
    throw new FetchFault(`${url.origin} is not a base URL of connectors.yaml`, 'refused_host');
  }
  if (privateAddresses) return;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const found = await lookup(host, { all: true });
  const hidden = found.find(({ address }) => !isPublicAddress(address));
  if (hidden === undefined && found.length > 0) return;
  throw new FetchFault(
    `${host} is at ${hidden?.address ?? 'no address'}, which is not public`,
    'refused_address',
  );
}

async function replyOf(response: Response, bytesMax: number): Promise<Reply> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > bytesMax) {
      throw new FetchFault(`the answer is larger than ${bytesMax} bytes`, 'too_large');
    }
    chunks.push(chunk);
  }
  return {
    status: response.status,
    contentType: response.headers.get('content-type') ?? '',
    retryAfter: response.headers.get('retry-after'),
    bytes: joined(chunks, size),
  };
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
