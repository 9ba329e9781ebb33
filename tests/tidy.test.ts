// The rules of the house, held against the source text: the whole tree must be without a finding, and each
// rule must find the violation that is crafted for it here. A rule without such a violation fails this file.

import { describe, expect, test } from 'bun:test';
import { resolve } from 'node:path';
import { secondOwners } from './tidy/imports.ts';
import { sourceOf } from './tidy/source.ts';
import { findings, RULES, readTree } from './tidy/tree.ts';

const HEADER = '// Owns a thing.\n';

interface Crafted {
  readonly rule: string;
  readonly path: string;
  readonly text: string;
  /** Line of the finding; 1 for a finding about the file. */
  readonly line: number;
}

/** A violation in the line below the header. */
function below(rule: string, path: string, violation: string): Crafted {
  return { rule, path, text: `${HEADER}${violation}\n`, line: 2 };
}

function about(rule: string, path: string, text: string): Crafted {
  return { rule, path, text, line: 1 };
}

/** Spells a word that this file may not hold in one piece. */
function spelled(...letters: readonly string[]): string {
  return letters.join('');
}

const VIOLATIONS: readonly Crafted[] = [
  below('layers', 'actors/domain/a.ts', "import { b } from '../router.ts';"),
  below('layers', 'actors/domain/a.ts', "import type { B } from '../router.ts';"),
  below('layers', 'actors/a.ts', "import type { B } from '../runtime/log/log.ts';"),
  below('layers', 'actors/a.ts', "type B = import('../sinks/sink.ts').Sink;"),
  below('layers', 'actors/a.ts', "const b = await import('../configs/load.ts');"),
  below('layers', 'sinks/a.ts', "export { b } from '../actors/stage.ts';"),
  below('layers', 'sinks/a.ts', "import { b } from '../configs/load.ts';"),
  below('layers', 'configs/a.ts', "import { b } from '../sinks/sink.ts';"),
  below('layers', 'configs/a.ts', "import { b } from '../runtime/main.ts';"),
  below('layers', 'runtime/a.ts', "import { b } from '../tests/oracle/bars.ts';"),
  below('layers', 'runtime/a.ts', "const w = new URL('../tests/worker.ts', import.meta.url);"),
  below('layers', 'scripts/a.ts', "import { b } from '../tests/oracle/bars.ts';"),
  about('layers', 'elsewhere/a.ts', HEADER),
  below('library-owner', 'runtime/a.ts', "import { spawn } from 'nact';"),
  below('library-owner', 'actors/a.ts', "import type { Ref } from 'nact';"),
  below('library-owner', 'runtime/log/embedded.ts', "import { Kafka } from 'kafkajs';"),
  below('library-owner', 'runtime/a.ts', "import { createClient } from '@clickhouse/client';"),
  below('library-owner', 'sinks/a.ts', "import { Redis } from 'ioredis';"),
  below('library-owner', 'runtime/a.ts', "import { parse } from 'yaml';"),
  below('library-owner', 'runtime/a.ts', "import { Database } from 'bun:sqlite';"),
  below('library-owner', 'runtime/a.ts', "import { z } from '@hono/zod-openapi';"),
  below('library-owner', 'sinks/a.ts', "import { pino } from 'pino';"),
  below('library-owner', 'sinks/a.ts', "import { Counter } from 'prom-client';"),
  below('library-owner', 'actors/normalize.ts', "import { parse } from 'papaparse';"),
  below('library-owner', 'runtime/a.ts', "import { SaxesParser } from 'saxes';"),
  below('library-owner', 'sinks/a.ts', "import { unzipSync } from 'fflate';"),
  below('library-owner', 'runtime/a.ts', "import { dlopen } from 'bun:ffi';"),
  below('library-owner', 'actors/a.ts', "import { readFileSync } from 'node:fs';"),
  below('library-owner', 'actors/domain/a.ts', "import { createHash } from 'node:crypto';"),
  below('library-owner', 'sinks/a.ts', "import { x } from 'left-pad';"),
  below('import-path', 'actors/a.ts', "import { b } from './b';"),
  below('import-path', 'actors/a.ts', "import { b } from './b.js';"),
  below('import-path', 'actors/a.ts', "import { b } from 'actors/b.ts';"),
  below('no-promises', 'docs/a.md', spelled('TO', 'DO: later')),
  below('no-promises', 'actors/a.ts', `const a = 1; // ${spelled('FIX', 'ME')}`),
  below('no-machine-paths', 'scripts/a.sh', `cd ${spelled('/ho', 'me/me/project')}`),
  below('no-machine-paths', 'actors/a.ts', `const a = '${spelled('/Use', 'rs/me')}';`),
  below('no-machine-paths', 'Dockerfile', `COPY . ${spelled('/wo', 'rk/main')}`),
  below('no-registry-hosts', '.npmrc', spelled('registry=https://regis', 'try.npm', 'js.org/')),
  below('no-registry-hosts', 'bunfig.toml', spelled('"https://npm-mir', 'ror.example/simple"')),
  below('no-registry-hosts', 'bun.lock', '["a@1.0.0", "https://a.example/a-1.0.0.tgz"]'),
  below('no-suppressions', 'actors/a.ts', spelled('// @ts-', 'expect-error because')),
  below('no-suppressions', 'actors/a.ts', spelled('// biome', '-ignore lint: because')),
  about('file-name', 'actors/index.ts', HEADER),
  about('file-name', 'actors/utils/a.ts', HEADER),
  about('file-name', 'tests/helpers.test.ts', HEADER),
  about('file-name', 'actors/types.ts', HEADER),
  about('file-name', 'actors/operatingDay.ts', HEADER),
  about('file-size', 'actors/a.ts', HEADER.repeat(301)),
  about('file-size', 'tests/a.ts', HEADER.repeat(601)),
  below('line-length', 'actors/a.ts', `const a = '${'x'.repeat(99)}';`),
  about('header', 'actors/a.ts', 'export const a = 1;\n'),
  below('parses', 'actors/a.ts', 'const = 1;'),
  below('types-on', 'actors/a.ts', 'let a: any;'),
  below('types-on', 'actors/a.ts', 'const a = new Map<string, any[]>();'),
  below('types-on', 'actors/a.ts', 'const a = b!.c;'),
  below('types-on', 'actors/a.ts', 'let a!: string;'),
  below('types-on', 'actors/a.ts', 'class A { a!: string; }'),
  below('no-casts', 'actors/a.ts', 'const a = b as string;'),
  below('no-casts', 'actors/a.ts', 'const a = b as unknown as Brand;'),
  below('no-casts', 'actors/a.ts', 'const a = <string>b;'),
  below('no-casts', 'actors/a.ts', 'function make(a: number): Id { return a as Id; }'),
  below('plain-forms', 'actors/a.ts', 'enum A { B }'),
  below('plain-forms', 'actors/a.ts', 'namespace A { export const b = 1; }'),
  below('plain-forms', 'actors/a.ts', 'export default 1;'),
  below('plain-forms', 'actors/a.ts', "export * from './b.ts';"),
  below('plain-forms', 'actors/a.ts', 'class A extends B {}'),
  below('plain-forms', 'actors/a.ts', '@injectable class A {}'),
  below('environment', 'runtime/a.ts', 'const a = process.env.ROLE;'),
  below('environment', 'configs/a.ts', "const a = process['env'];"),
  below('environment', 'sinks/a.ts', 'const a = Bun.env.ROLE;'),
  below('environment', 'runtime/a.ts', 'const a = import.meta.env.ROLE;'),
  below('pure-actors', 'actors/a.ts', 'const a = Date.now();'),
  below('pure-actors', 'actors/a.ts', 'const a = new Date();'),
  below('pure-actors', 'actors/domain/a.ts', 'const a = Math.random();'),
  below('pure-actors', 'actors/a.ts', 'setTimeout(f, 1);'),
  below('pure-actors', 'actors/a.ts', 'setInterval(f, 1);'),
  below('pure-actors', 'actors/a.ts', 'const a = performance.now();'),
  below('pure-actors', 'actors/a.ts', 'const a = Temporal.Now.instant();'),
  below('pure-actors', 'actors/a.ts', 'const a = crypto.randomUUID();'),
  below('pure-actors', 'actors/a.ts', 'const a = Bun.file(b);'),
  below('pure-actors', 'actors/a.ts', 'console.log(a);'),
  below('test-forms', 'tests/a.test.ts', "test.only('a', f);"),
  below('test-forms', 'tests/a.test.ts', "mock.module('../a.ts', f);"),
  below('short-functions', 'actors/a.ts', `function f() {${'\n'.repeat(70)}}`),
  below('short-functions', 'actors/a.ts', `const f = () => {${'\n'.repeat(70)}};`),
  below('short-functions', 'tests/a.test.ts', `test('a', () => {${'\n'.repeat(70)}});`),
];

/** What is close to a violation and is none. */
const ALLOWED: readonly Crafted[] = [
  below('layers', 'sinks/a.ts', "import type { A } from '../actors/domain/wire.ts';"),
  below('layers', 'tests/a.test.ts', "import { a } from '../scripts/install.ts';"),
  below('layers', 'runtime/a.ts', "const w = new URL('./worker.ts', import.meta.url);"),
  below('library-owner', 'runtime/actor-system.ts', "import { spawn } from 'nact';"),
  below('library-owner', 'runtime/log/embedded-store.ts', "import { Database } from 'bun:sqlite';"),
  below('library-owner', 'tests/oracle/a.ts', "import { unzipSync } from 'fflate';"),
  below('no-casts', 'actors/a.ts', "const a = ['b'] as const;"),
  below('no-casts', 'actors/a.ts', 'function brandId(a: number): Id { return a as Id; }'),
  below('no-casts', 'actors/a.ts', "import * as a from './a.ts';"),
  below('types-on', 'actors/a.ts', 'const many = !any; // any of them!'),
  below('plain-forms', 'actors/a.ts', 'class Broken extends Error {}'),
  below('environment', 'configs/load.ts', 'const a = process.env;'),
  below('pure-actors', 'actors/a.ts', 'const a = new Date(0).toISOString();'),
  below('pure-actors', 'runtime/a.ts', 'const a = Date.now();'),
  below('short-functions', 'tests/a.test.ts', `describe('a', () => {${'\n'.repeat(70)}test('b', f); });`),
  below('short-functions', 'tests/a.ts', `function suite() {${'\n'.repeat(70)}test('a', f); }`),
  below('file-size', 'actors/a.ts', `${'// a\n'.repeat(298)}`),
  below('line-length', 'actors/a.ts', `const a = '${'–'.repeat(97)}';`),
  below('no-machine-paths', 'README.md', 'GET /actors/home/a and https://example.org/home/'),
];

describe('every rule finds its crafted violation', () => {
  for (const { rule, path, text, line } of VIOLATIONS) {
    test(`${rule} in ${path}: ${text.slice(HEADER.length, HEADER.length + 70).trim()}`, () => {
      const found = findings([sourceOf(path, text)]);
      expect(found).toContainEqual({ path, line, rule, message: expect.any(String) });
    });
  }

  test('no rule is without one', () => {
    const crafted = new Set(VIOLATIONS.map((violation) => violation.rule));
    expect(RULES.map((rule) => rule.name).filter((name) => !crafted.has(name))).toEqual([]);
  });

  test('a second owner of a library is found across files', () => {
    const text = `${HEADER}import { pino } from 'pino';\n`;
    const pair = [sourceOf('runtime/a.ts', text), sourceOf('runtime/b.ts', text)];
    expect(secondOwners(pair)).toMatchObject([{ path: 'runtime/b.ts', line: 2, rule: 'single-owner' }]);
    expect(secondOwners([...pair.slice(0, 1), sourceOf('tests/a.ts', text)])).toEqual([]);
  });
});

describe('what only looks like a violation is left alone', () => {
  for (const { rule, path, text } of ALLOWED) {
    test(`${rule} in ${path}: ${text.slice(HEADER.length, HEADER.length + 70).trim()}`, () => {
      expect(findings([sourceOf(path, text)]).filter((found) => found.rule === rule)).toEqual([]);
    });
  }
});

test('the tree has no finding', () => {
  const found = findings(readTree(resolve(import.meta.dir, '..')));
  for (const one of found) console.error(`${one.path}:${one.line} ${one.rule}: ${one.message}`);
  expect(found).toHaveLength(0);
}, 60_000);
