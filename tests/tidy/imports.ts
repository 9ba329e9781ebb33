// Who may import whom, as data: layers by folder, and one owner for each library. Tests and scripts may use
// any library; nobody imports a test but a test.

import { basename } from 'node:path/posix';
import type { Complaint, Finding, Rule, Source } from './source.ts';
import { lineAt } from './source.ts';

interface Layer {
  /** Folder; the first that a path begins with is its layer. */
  readonly folder: string;
  /** Folders it may import from. */
  readonly imports: readonly string[];
  /** Libraries it may use besides those it owns; null for any. */
  readonly libraries: RegExp | null;
}

const LAYERS: readonly Layer[] = [
  { folder: 'actors/domain/', imports: ['actors/domain/'], libraries: /^$/ },
  { folder: 'actors/', imports: ['actors/'], libraries: /^node:crypto$/ },
  { folder: 'sinks/', imports: ['sinks/', 'actors/domain/'], libraries: /^(node|bun):|^(bun|zod)$/ },
  { folder: 'configs/', imports: ['configs/', 'actors/domain/'], libraries: /^node:|^zod$/ },
  {
    folder: 'runtime/',
    imports: ['runtime/', 'actors/', 'sinks/', 'configs/', 'package.json'],
    libraries: /^(node|bun):|^(bun|zod)$/,
  },
  { folder: 'tests/', imports: [''], libraries: null },
  {
    folder: 'scripts/',
    imports: ['scripts/', 'runtime/', 'actors/', 'sinks/', 'configs/', 'package.json'],
    libraries: null,
  },
];

interface Owner {
  readonly library: RegExp;
  /** The files that may import it. */
  readonly files: RegExp;
  /** Only one file may, whichever of `files` it is. */
  readonly single?: true;
}

export const OWNERS: readonly Owner[] = [
  { library: /^nact$/, files: /^runtime\/actor-system\.ts$/ },
  { library: /^kafkajs(\/|$)/, files: /^runtime\/log\/kafka[\w-]*\.(d\.)?ts$/ },
  { library: /^@clickhouse\/client$/, files: /^sinks\/clickhouse\.ts$/ },
  { library: /^ioredis$/, files: /^sinks\/redis\.ts$/ },
  { library: /^yaml$/, files: /^configs\//, single: true },
  { library: /^bun:sqlite$/, files: /^runtime\/log\/embedded[\w-]*\.ts$/ },
  { library: /^bun:ffi$/, files: /^sinks\//, single: true },
  { library: /^(hono|@hono\/)/, files: /^runtime\/http\// },
  { library: /^pino$/, files: /^runtime\//, single: true },
  { library: /^prom-client$/, files: /^runtime\//, single: true },
  { library: /^papaparse$/, files: /^actors\/feeds\//, single: true },
  { library: /^saxes$/, files: /^actors\/feeds\//, single: true },
  { library: /^fflate$/, files: /^(actors\/feeds|runtime)\//, single: true },
];

export const IMPORT_RULES: readonly Rule[] = [
  { name: 'layers', check: layers },
  { name: 'library-owner', check: libraryOwner },
  { name: 'import-path', check: importPath },
];

function layerOf(path: string): Layer | undefined {
  return LAYERS.find((layer) => path.startsWith(layer.folder));
}

function* layers(source: Source): Iterable<Complaint> {
  const layer = layerOf(source.path);
  if (source.code === null) return;
  if (layer === undefined) {
    const folders = LAYERS.map((known) => known.folder).join(', ');
    yield [0, `stands in no layer; the folders are ${folders}`];
    return;
  }
  for (const { offset, target } of source.code.imports) {
    if (target === null || layer.imports.some((folder) => target.startsWith(folder))) continue;
    yield [offset, `${layer.folder} may not import ${target}, only ${layer.imports.join(', ')}`];
  }
}

function* libraryOwner(source: Source): Iterable<Complaint> {
  const layer = layerOf(source.path);
  const allowed = layer?.libraries ?? null;
  if (allowed === null) return;
  for (const { offset, target, specifier } of source.code?.imports ?? []) {
    if (target !== null) continue;
    const owner = OWNERS.find((one) => one.library.test(specifier));
    if (owner?.files.test(source.path)) continue;
    if (owner !== undefined) yield [offset, `${specifier} belongs to ${owner.files.source}`];
    else if (!allowed.test(specifier)) yield [offset, `${layer?.folder} may not use ${specifier}`];
  }
}

/** Own files are imported by a relative path that ends in the file's own extension; no barrels. */
function* importPath(source: Source): Iterable<Complaint> {
  const roots = new Set(LAYERS.map((layer) => layer.folder.split('/')[0]));
  for (const { offset, target, specifier } of source.code?.imports ?? []) {
    if (target === null) {
      const first = specifier.split('/')[0] ?? '';
      if (roots.has(first) || specifier.startsWith('/') || specifier.startsWith('file:')) {
        yield [offset, `${specifier} is our own file: import it by a relative path`];
      }
    } else if (!basename(target).includes('.') || /\.m?js$/.test(target)) {
      yield [offset, `${specifier} lacks its extension, such as .ts`];
    }
  }
}

/** Libraries marked `single` that more than one file imports: the one rule that sees the whole tree. */
export function secondOwners(sources: readonly Source[]): Finding[] {
  const first = new Map<RegExp, string>();
  const findings: Finding[] = [];
  for (const { path, text, code } of sources) {
    if (layerOf(path)?.libraries === null) continue;
    for (const { offset, specifier } of code?.imports ?? []) {
      const owner = OWNERS.find((one) => one.single && one.library.test(specifier));
      if (owner === undefined) continue;
      const holder = first.get(owner.library) ?? path;
      first.set(owner.library, holder);
      if (holder === path) continue;
      const message = `${specifier} is already owned by ${holder}`;
      findings.push({ path, line: lineAt(text, offset), rule: 'single-owner', message });
    }
  }
  return findings;
}
