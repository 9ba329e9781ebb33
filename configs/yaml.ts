// YAML files read with positions: the yaml library's owner. Every finding names file, line, column, key
// and what was expected. Aliases are bounded; custom tags, duplicate keys, bytes that are not UTF-8 and
// empty files are findings.

import { readFileSync, statSync } from 'node:fs';
import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument, visit } from 'yaml';

export interface Finding {
  /** `configs/aggregation_policies.yaml:12:5`, or the name of an environment variable. */
  readonly where: string;
  readonly key: string;
  readonly message: string;
}

export interface YamlFile {
  readonly name: string;
  readonly value: unknown;
  /** Where a key stands; the nearest parent that exists when it does not. */
  where(path: readonly PropertyKey[]): string;
}

const FILE_BYTES_MAX = 1_000_000;
const ALIASES_MAX = 100;
/** Of one file; a file that is no YAML has one at every character. */
const PROBLEMS_MAX = 20;

/** Reads and parses one file. Findings instead of a file when it cannot be. */
export function readYaml(path: string): YamlFile | readonly Finding[] {
  let bytes: Uint8Array;
  try {
    if (statSync(path).size > FILE_BYTES_MAX) throw new Error(`more than ${FILE_BYTES_MAX} bytes`);
    bytes = readFileSync(path);
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return [{ where: `${path}:1:1`, key: '', message: `expected a readable file: ${said}` }];
  }
  const text = decoded(bytes);
  return typeof text === 'string' ? parseYaml(path, text) : [notUtf8(path, text)];
}

/** The text, or where the first line stands that is not UTF-8. */
function decoded(bytes: Uint8Array): string | { readonly line: number; readonly column: number } {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    const replaced = new TextDecoder().decode(bytes).split('\n');
    const index = replaced.findIndex((line) => line.includes('\uFFFD'));
    return { line: index + 1, column: (replaced[index]?.indexOf('\uFFFD') ?? 0) + 1 };
  }
}

function notUtf8(path: string, { line, column }: { line: number; column: number }): Finding {
  return { where: `${path}:${line}:${column}`, key: '', message: 'expected UTF-8, found other bytes' };
}

export function parseYaml(path: string, text: string): YamlFile | readonly Finding[] {
  const lines = new LineCounter();
  const position = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${path}:${Math.max(1, line)}:${Math.max(1, col)}`;
  };
  try {
    const document = parseDocument(text, {
      lineCounter: lines,
      merge: true,
      uniqueKeys: true,
      prettyErrors: false,
    });
    const problems = [...document.errors, ...document.warnings];
    if (problems.length > 0) {
      const told = problems.slice(0, PROBLEMS_MAX).map(({ pos: [offset], message }) => ({
        where: position(offset),
        key: keyAt(text, offset),
        message,
      }));
      const more = problems.length - told.length;
      if (more === 0) return told;
      return [...told, { where: path, key: '', message: `${more} further problems are not listed` }];
    }
    return fileOf(path, document, position);
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return [{ where: `${path}:1:1`, key: '', message: said }];
  }
}

function fileOf(
  path: string,
  document: Document,
  position: (offset: number) => string,
): YamlFile | readonly Finding[] {
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: ALIASES_MAX });
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const message = `expected at most ${ALIASES_MAX} uses of an anchor: ${said}`;
    return [{ where: position(firstAlias(document)), key: '', message }];
  }
  if (value === null || value === undefined) {
    return [{ where: position(0), key: '', message: 'expected a map of settings, found nothing' }];
  }
  return { name: path, value, where: (keys) => position(offsetOf(document, keys)) };
}

/** The word of a key that begins there, such as a duplicate one; empty when no key does. */
function keyAt(text: string, offset: number): string {
  return /^([\w.-]{1,80})\s*:/.exec(text.slice(offset, offset + 100))?.[1] ?? '';
}

function firstAlias(document: Document): number {
  let offset = 0;
  visit(document, {
    Alias(_, { range }) {
      offset = range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  return offset;
}

function offsetOf(document: Document, keys: readonly PropertyKey[]): number {
  for (let depth = keys.length; depth > 0; depth -= 1) {
    const parent = depth === 1 ? document.contents : document.getIn(keys.slice(0, depth - 1), true);
    const name = keys[depth - 1];
    if (isMap(parent)) {
      const pair = parent.items.find((each) => isScalar(each.key) && String(each.key.value) === String(name));
      if (pair !== undefined && isScalar(pair.key)) return pair.key.range?.[0] ?? 0;
    }
    const node = document.getIn(keys.slice(0, depth), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return isNode(document.contents) ? (document.contents.range?.[0] ?? 0) : 0;
}
