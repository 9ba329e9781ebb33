// Hashes that identify: the same text has the same digits on every machine, so what is derived from an
// identity needs no randomness and no offset. Not for secrets: xxHash is no cryptography.

/** 16 hex digits. */
export function hash64(of: string): string {
  return Bun.hash.xxHash64(of).toString(16).padStart(16, '0');
}

/** 32 hex digits. */
export function hash128(of: string): string {
  return hash64(of) + hash64(`${of}#`);
}
