// Recordings as responses: the bundled sample, and files and folders of the user's own. One file is held at a
// time.

import { readdirSync, readFileSync, statSync } from 'node:fs';
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

/** Files below the paths, in the order given and then by name. Hidden files and READMEs are passed over. */
export function listRecordings(paths: readonly string[]): {
  readonly files: string[];
  readonly unreadable: Unreadable[];
} {
  const files: string[] = [];
  const unreadable: Unreadable[] = [];
  const visit = (path: string, named: boolean): void => {
    try {
      if (!statSync(path).isDirectory()) {
        if (named || !/^(\.|README)/i.test(basename(path))) files.push(path);
        return;
      }
      for (const entry of readdirSync(path).sort()) visit(join(path, entry), false);
    } catch (error) {
      unreadable.push({ path, reason: error instanceof Error ? error.message : String(error) });
    }
  };
  for (const path of paths) visit(path, true);
  return { files, unreadable };
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
      unreadable({ path, reason: error instanceof Error ? error.message : String(error) });
    }
  }
}
