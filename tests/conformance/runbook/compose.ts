// docker-compose.yml, as far as rows ask for it: read as a text where no Docker engine is.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

export const ROOT = resolve(import.meta.dir, '../../..');

export interface ComposeService {
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly command?: readonly string[];
  readonly healthcheck: { readonly test: readonly string[] };
}

export function composeServices(): Readonly<Record<string, ComposeService>> {
  const text = readFileSync(resolve(ROOT, 'docker-compose.yml'), 'utf8');
  const file: { services: Readonly<Record<string, ComposeService>> } = JSON.parse(
    JSON.stringify(Bun.YAML.parse(text)),
  );
  return file.services;
}
