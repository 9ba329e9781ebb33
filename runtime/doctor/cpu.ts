// What the embedded ClickHouse engine needs of this machine and a package manager cannot see: AVX2 on x64,
// and glibc on Linux.

import { readdirSync, readFileSync } from 'node:fs';

/** What is missing, or null. Where the system does not tell, nothing is. */
export function lacking(): string | null {
  if (process.platform !== 'linux') return null;
  if (process.arch === 'x64' && !flagsOf(textOf('/proc/cpuinfo')).includes('avx2')) {
    return 'its processor has no AVX2';
  }
  return usesMusl() ? 'it needs glibc, and this system has musl' : null;
}

/** Flags of the first processor of a Linux `/proc/cpuinfo`; `avx2` alone when it names none. */
export function flagsOf(text: string): readonly string[] {
  const flags = /^flags\s*:(.*)$/m.exec(text)?.[1];
  return flags === undefined ? ['avx2'] : flags.trim().split(/\s+/);
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function usesMusl(): boolean {
  try {
    const names = readdirSync('/lib');
    const has = (start: string): boolean => names.some((name) => name.startsWith(start));
    return (
      has('ld-musl-') &&
      !has('ld-linux') &&
      !has(`${process.arch === 'x64' ? 'x86_64' : 'aarch64'}-linux-gnu`)
    );
  } catch {
    return false;
  }
}
