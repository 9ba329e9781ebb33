// What goes wrong on the way to an operator, in words for whoever runs the product: what, where, and what to
// do. Built from codes and names of hosts alone, so that no part of a request can stand in it.

export type FetchFaultCode =
  | 'timeout'
  | 'too_large'
  | 'refused_host'
  | 'refused_address'
  | 'certificate'
  | 'network';

export class FetchFault extends Error {
  override readonly name = 'FetchFault';
  constructor(
    message: string,
    readonly code: FetchFaultCode,
  ) {
    super(message);
  }
}

const CERTIFICATE = /cert|ssl|tls|self.signed|issuer|verify/i;
/** Nothing was sent: another address may be tried. */
const UNREACHED = /ECONNREFUSED|ENETUNREACH|EHOSTUNREACH|EADDRNOTAVAIL|ConnectionRefused/;

const WRONG: readonly (readonly [RegExp, string])[] = [
  [/EXPIRED/, 'it has expired: check the clock of this machine; else the operator must renew it'],
  [/ALTNAME|HOSTNAME/, 'it is made out to another name: check base_urls and DNS'],
  [
    /SELF_SIGNED/,
    'it is signed by nobody that is trusted here: something stands in between, or base_urls is wrong',
  ],
];
const UNKNOWN_ISSUER =
  'its issuer is not trusted here: add its root to those of this machine, or name it by NODE_EXTRA_CA_CERTS';

/** What `fetch` threw while it asked `host`. */
export function asFault(error: unknown, host: string): FetchFault {
  if (error instanceof FetchFault) return error;
  const code = codeOf(error);
  const said = error instanceof Error ? error.message : '';
  if (CERTIFICATE.test(code) || (code === '' && CERTIFICATE.test(said))) {
    const why = WRONG.find(([pattern]) => pattern.test(code))?.[1] ?? UNKNOWN_ISSUER;
    return new FetchFault(`the certificate of ${host} is refused (${code}): ${why}`, 'certificate');
  }
  if (/Zlib|Brotli|Zstd|Decompress/i.test(code)) {
    return new FetchFault(`${host} sent a packed answer that is damaged (${code})`, 'network');
  }
  if (isUnreached(error)) {
    return new FetchFault(
      `${host} cannot be reached (${code}): check the way out of this machine`,
      'network',
    );
  }
  const short = code === '' ? (error instanceof Error ? error.name : 'no reason given') : code;
  return new FetchFault(
    `the connection to ${host} was lost before the whole answer came (${short})`,
    'network',
  );
}

export function isUnreached(error: unknown): boolean {
  return UNREACHED.test(codeOf(error));
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
