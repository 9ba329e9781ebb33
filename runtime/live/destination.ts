// Where a request may go: an origin of connectors.yaml, at addresses of the public internet unless the file
// says otherwise. A name is resolved here, once, and the connection goes to an address that was checked, so
// whoever rules the name's zone cannot answer differently afterwards.

import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { isPublicAddress } from './addresses.ts';
import { FetchFault } from './fetch-fault.ts';

/** The addresses of a name, in the order they are to be tried. */
export type Resolve = (host: string) => Promise<readonly string[]>;

/** IPv4 first: many a machine has an IPv6 address and no way out by it. */
export const systemResolve: Resolve = async (host) => {
  const found = await lookup(host, { all: true, order: 'ipv4first' });
  return found.map(({ address }) => address);
};

/** Throws FetchFault when the origin is none that may be asked. */
export function allowOrigin(url: URL, origins: ReadonlySet<string>): void {
  if (origins.has(url.origin)) return;
  throw new FetchFault(
    `${url.origin} is not a base URL of connectors.yaml: nothing is sent there; if the operator has moved, ` +
      'change base_urls',
    'refused_host',
  );
}

/** Throws FetchFault when the host has no address, or one that may not be asked. */
export async function addressesOf(
  url: URL,
  privateAddresses: boolean,
  resolve: Resolve,
): Promise<readonly string[]> {
  const host = hostOf(url);
  const found = isIP(host) === 0 ? await resolved(host, resolve) : [host];
  if (found.length === 0) throw new FetchFault(`${host} has no address: ask its DNS`, 'network');
  const hidden = privateAddresses ? undefined : found.find((address) => !isPublicAddress(address));
  if (hidden === undefined) return found;
  throw new FetchFault(
    `${host} is at ${hidden}, which is not a public address: nothing is sent there; ask its DNS, or set ` +
      'allow_private_addresses in connectors.yaml',
    'refused_address',
  );
}

async function resolved(host: string, resolve: Resolve): Promise<readonly string[]> {
  try {
    return await resolve(host);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
    throw new FetchFault(
      `the name ${host} cannot be resolved${code}: check the DNS of this machine`,
      'network',
    );
  }
}

/** Without the brackets of an IPv6 address. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}
