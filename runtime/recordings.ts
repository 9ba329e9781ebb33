// Recordings as responses: the bundled sample, and files and folders of the user's own. One file is held at a
// time.

import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import type { Response } from '../actors/feeds/feed.ts';

const SAMPLE_DIR = resolve(import.meta.dir, '../sample');

interface SampleFile {
  readonly file: string;
  readonly name: string;
  readonly sha256: string;
  readonly takenAt: string;
}

/**
 * The bundled sample. A file that does not have the hash of the manifest is an error: it was changed or cut.
 */
export async function* sampleResponses(tenantId: string): AsyncIterable<Response> {
  const manifest: { files: SampleFile[] } = JSON.parse(
    readFileSync(join(SAMPLE_DIR, 'manifest.json'), 'utf8'),
  );
  for (const { file, name, sha256, takenAt } of manifest.files) {
    const packed = readFileSync(join(SAMPLE_DIR, file));
    const bytes = file.endsWith('.zst') ? Bun.zstdDecompressSync(packed) : new Uint8Array(packed);
    if (new Bun.CryptoHasher('sha256').update(bytes).digest('hex') !== sha256) {
      throw new Error(`sample/${file} is not the file of the manifest: check out the repository again`);
    }
    yield { name, bytes, takenMs: Date.parse(takenAt), tenantId };
  }
}

export interface Unreadable {
  readonly path: string;
  readonly reason: string;
}

/**
 * Files below the paths, in the order given and then by name, each once. Hidden files and READMEs are passed
 * over where they were not named. A folder that holds nothing is as unreadable as a path that is not there.
 */
export function listRecordings(paths: readonly string[]): {
  readonly files: string[];
  readonly unreadable: Unreadable[];
} {
  const files = new Set<string>();
  const unreadable: Unreadable[] = [];
  const walked = new Set<string>();
  /** Whether there was anything to find. */
  const visit = (path: string, named: boolean): boolean => {
    try {
      const found = statSync(path);
      if (found.isDirectory()) return walk(path);
      if (!named && /^(\.|README)/i.test(basename(path))) return false;
      if (!found.isFile()) throw new Error('neither a file nor a folder');
      files.add(path);
    } catch (error) {
      unreadable.push({ path, reason: reasonOf(error) });
    }
    return true;
  };
  const walk = (dir: string): boolean => {
    const real = realpathSync(dir);
    if (walked.has(real)) return true;
    walked.add(real);
    const entries = readdirSync(dir).sort();
    return entries.map((entry) => visit(join(dir, entry), false)).some((each) => each);
  };
  for (const path of paths) {
    if (!visit(path, true)) unreadable.push({ path, reason: 'no recording is in it' });
  }
  return { files: [...files], unreadable };
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'it may not be read by this user',
  ELOOP: 'its links go round in a circle',
};

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return ('code' in error ? REASONS[String(error.code)] : undefined) ?? error.message;
}

const FILE_BYTES_MAX = 1024 * 1024 * 1024;

/** Reads files one by one; one that cannot be read is reported and passed over. */
export async function* fileResponses(
  files: readonly string[],
  tenantId: string,
  unreadable: (of: Unreadable) => void,
): AsyncIterable<Response> {
  for (const path of files) {
    try {
      const { size, mtimeMs } = statSync(path);
      if (size > FILE_BYTES_MAX) throw new Error(`${size} bytes: at most ${FILE_BYTES_MAX} are read`);
      const bytes = new Uint8Array(readFileSync(path));
      yield { name: basename(path), bytes, takenMs: Math.floor(mtimeMs), tenantId };
    } catch (error) {
      unreadable({ path, reason: reasonOf(error) });
    }
  }
}
