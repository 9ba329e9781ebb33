// The way to the operators: https to hosts of the configuration, at addresses of the public internet, within
// bounds of time and size, unpacked bytes counted, certificates always verified. What goes wrong is a typed
// fault that says what, where and what to do.
//
// A name is resolved once for each request, redirects included; the connection goes to the address that was
// checked, under the name that was asked for (Host, SNI and certificate).

import { isIP } from 'node:net';
import type { Reply } from '../../actors/feeds/source.ts';
import type { Clock } from '../host.ts';
import { addressesOf, allowOrigin, hostOf, type Resolve, systemResolve } from './destination.ts';
import { asFault, FetchFault, isUnreached } from './fetch-fault.ts';

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

/** Throws FetchFault. */
export type Fetch = (wish: FetchWish, signal: AbortSignal) => Promise<Fetched>;

/** What of the machine's network may be another: names, and who is trusted besides the machine's roots. */
export interface Network {
  readonly resolve: Resolve;
  /** PEM, instead of the roots of the machine; null: those. */
  readonly ca: string | null;
}

export const systemNetwork: Network = { resolve: systemResolve, ca: null };

const REDIRECTS_MAX = 3;
const AGENT = 'carbon-ingestion';

export function systemFetch(clock: Clock, network: Network = systemNetwork): Fetch {
  return (wish, signal) => follow(wish, signal, clock, network);
}

async function follow(
  wish: FetchWish,
  signal: AbortSignal,
  clock: Clock,
  network: Network,
): Promise<Fetched> {
  let url = new URL(wish.url);
  for (let hops = 0; ; hops += 1) {
    const at = url;
    const timed = <T>(work: (within: AbortSignal) => Promise<T>) => inTime(at, wish, signal, clock, work);
    allowOrigin(at, wish.origins);
    // Before the turn: a slow answer of the DNS must not push the request out of it.
    const addresses = await timed(() => addressesOf(at, wish.privateAddresses, network.resolve));
    await wish.turn(at.hostname);
    const startedMs = clock.nowMs();
    const found = await timed((within) => hop(at, addresses, wish, network, within));
    if (!(found instanceof URL)) return { reply: found, millis: clock.nowMs() - startedMs };
    if (hops >= REDIRECTS_MAX) {
      throw new FetchFault(`${hostOf(url)} redirects more than ${REDIRECTS_MAX} times`, 'refused_host');
    }
    url = found;
  }
}

/** Gives up when the time is over or the signal aborts, whether or not the work listens to it. */
async function inTime<T>(
  url: URL,
  { timeoutMs }: FetchWish,
  signal: AbortSignal,
  clock: Clock,
  work: (within: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const timeout = new AbortController();
  const within = AbortSignal.any([signal, timeout.signal]);
  const over = Promise.withResolvers<never>();
  within.addEventListener('abort', () => over.reject(within.reason), { once: true });
  const cancel = clock.after(timeoutMs, () => timeout.abort());
  try {
    return await Promise.race([work(within), over.promise]);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof FetchFault || !timeout.signal.aborted) throw asFault(error, hostOf(url));
    throw new FetchFault(
      `${hostOf(url)} gave no whole answer in ${timeoutMs} ms (limits.timeout_ms)`,
      'timeout',
    );
  } finally {
    cancel();
  }
}

/** The reply, or where it sends us. Further addresses are tried only while nothing was sent. */
async function hop(
  url: URL,
  addresses: readonly string[],
  wish: FetchWish,
  network: Network,
  signal: AbortSignal,
): Promise<Reply | URL> {
  for (const [n, address] of addresses.entries()) {
    try {
      return await ask(url, address, wish, network, signal);
    } catch (error) {
      if (!isUnreached(error) || n === addresses.length - 1) throw error;
    }
  }
  throw new RangeError('a host has an address');
}

async function ask(
  url: URL,
  address: string,
  wish: FetchWish,
  network: Network,
  signal: AbortSignal,
): Promise<Reply | URL> {
  const to = new URL(url);
  to.hostname = isIP(address) === 6 ? `[${address}]` : address;
  // A credential goes to the origin that it is for, never along a redirect to another.
  const own = url.origin === new URL(wish.url).origin ? wish.headers : {};
  const headers = { 'user-agent': AGENT, accept: '*/*', ...own, host: url.host };
  const name = hostOf(url);
  const tls = {
    rejectUnauthorized: true,
    ...(isIP(name) === 0 ? { serverName: name } : {}),
    ...(network.ca === null ? {} : { ca: network.ca }),
  };
  // No connection is kept: one that was verified for a name must not carry another name at that address.
  const response = await fetch(to, { redirect: 'manual', signal, headers, tls, keepalive: false });
  const target = response.headers.get('location');
  if (response.status < 300 || response.status >= 400 || target === null) {
    return replyOf(response, name, wish.bytesMax);
  }
  await response.body?.cancel();
  return redirected(target, url);
}

function redirected(target: string, from: URL): URL {
  const found = URL.canParse(target, from.href) ? new URL(target, from) : null;
  if (found !== null && /^https?:$/.test(found.protocol)) return found;
  throw new FetchFault(`${hostOf(from)} redirects to what is no web address`, 'refused_host');
}

async function replyOf(response: Response, host: string, bytesMax: number): Promise<Reply> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > bytesMax) {
      throw new FetchFault(
        `the answer of ${host} is larger than ${bytesMax} bytes unpacked (limits.response_mb_max)`,
        'too_large',
      );
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
