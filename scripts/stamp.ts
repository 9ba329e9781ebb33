// Whether node_modules holds what bun.lock asks for: a stamp inside it carries the hash of bun.lock,
// package.json and the platform they were installed for. Reading it takes under a millisecond and needs no
// dependency. Whoever deletes single packages by hand deletes node_modules: the stamp does not look inside.

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const STAMP = join('node_modules', '.installed');

/** True when the last install under `root` was for the lockfile that stands there now. */
export function isInstalled(root: string): boolean {
  const stamp = join(root, STAMP);
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === fingerprint(root);
}

/** Call after an install that succeeded. Throws what the file system throws. */
export function markInstalled(root: string): void {
  const partial = join(root, `${STAMP}.${process.pid}`);
  writeFileSync(partial, fingerprint(root));
  renameSync(partial, join(root, STAMP));
}

function fingerprint(root: string): string {
  const hash = new Bun.CryptoHasher('sha256').update(`${process.platform}-${process.arch}\0`);
  for (const name of ['bun.lock', 'package.json']) hash.update(readFileSync(join(root, name))).update('\0');
  return hash.digest('hex');
}
