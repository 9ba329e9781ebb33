// Configuration directories for tests: a copy of the shipped files, or of an existing installation's, with
// some of them replaced or taken away. Every directory is removed by `dispose`.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export const SHIPPED = resolve(import.meta.dir, '../../configs');
export const EXISTING = resolve(import.meta.dir, 'existing-configs');

export const FILES = [
  'aggregation_policies',
  'normalization_rules',
  'enrichment_taxonomy',
  'data_quality_rules',
  'projection_policies',
  'runtime',
  'connectors',
  'contacts',
] as const;
export type ConfigFile = (typeof FILES)[number];

/** New text of a file, its new bytes, or null to take it away. */
export type Changes = Partial<Record<ConfigFile, string | Uint8Array | null>>;

export interface ConfigDir extends Disposable {
  readonly path: string;
}

export function configDir(from: string, changes: Changes = {}): ConfigDir {
  const path = mkdtempSync(join(tmpdir(), 'carbon-configs-'));
  cpSync(from, path, { recursive: true, filter: (name) => !name.endsWith('.ts') });
  for (const [name, content] of Object.entries(changes)) {
    const file = join(path, `${name}.yaml`);
    if (content === null) rmSync(file);
    else writeFileSync(file, content);
  }
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export function textOf(from: string, file: ConfigFile): string {
  return readFileSync(join(from, `${file}.yaml`), 'utf8');
}

/** The text with one part replaced; throws when the part is not there, so that no test edits nothing. */
export function edited(text: string, part: string, by: string): string {
  if (!text.includes(part)) throw new Error(`'${part}' is not in the file`);
  return text.replace(part, () => by);
}
