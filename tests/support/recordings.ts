// The recordings that stand beside the project, for tests: which of them are good, and each as a response.

import { readdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import type { Response } from '../../actors/feeds/feed.ts';

export const RECORDINGS = resolve(import.meta.dir, '../../../shared/data');

/** Every file that holds prices, in order of its path. */
export function goodRecordings(): string[] {
  const all = readdirSync(RECORDINGS, { recursive: true, encoding: 'utf8' });
  return all
    .filter((path) => /\.(csv|xml|json|zip)$/.test(path) && !path.includes('errors'))
    .map((path) => join(RECORDINGS, path))
    .sort();
}

/** The path of the one recording whose name holds `part`. */
export function recording(part: string): string {
  const found = readdirSync(RECORDINGS, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.includes(part),
  );
  const [path] = found;
  if (path === undefined || found.length > 1) throw new Error(`${found.length} recordings match '${part}'`);
  return join(RECORDINGS, path);
}

/** All were taken at one instant, so that a response means the same in every test. */
const TAKEN_MS = Date.UTC(2026, 9, 3);

export function responseOf(path: string): Response {
  return textResponse(basename(path), readFileSync(path));
}

export function textResponse(name: string, text: string | Uint8Array): Response {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : new Uint8Array(text);
  return { name, bytes, takenMs: TAKEN_MS, tenantId: 'default' };
}
