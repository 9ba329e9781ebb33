// docker-compose.yml, read as a text where no Docker engine is: its services and volumes, and the variables
// of a service as Compose fills them in.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

export const ROOT = resolve(import.meta.dir, '../..');

export interface ComposeService {
  readonly image: string;
  readonly build?: string;
  readonly user?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly cap_drop?: readonly string[];
  readonly read_only?: boolean;
  readonly command?: readonly string[];
  readonly healthcheck: { readonly test: readonly string[] };
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, null>>;
}

export function composeFile(): ComposeFile {
  const text = readFileSync(resolve(ROOT, 'docker-compose.yml'), 'utf8');
  return JSON.parse(JSON.stringify(Bun.YAML.parse(text)));
}

export function composeServices(): ComposeFile['services'] {
  return composeFile().services;
}

/** `${NAME:-default}`, as it stands in the file, with what whoever starts it has set. */
export function filledIn(
  { environment = {} }: ComposeService,
  set: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const fill = (value: string): string =>
    value.replaceAll(/\$\{(\w+):-([^}]*)\}/g, (_, name: string, otherwise: string) => set[name] || otherwise);
  return Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, fill(String(value))]));
}
