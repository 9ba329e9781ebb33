// YAML files read with positions: the yaml library's owner. Every finding names file, line, column, key and
// what was expected. Aliases are bounded, custom tags and duplicate keys are findings.

import { readFileSync, statSync } from 'node:fs';
import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml';

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

/** Reads and parses one file. Findings instead of a file when it cannot be. */
export function readYaml(path: string): YamlFile | readonly Finding[] {
  let text: string;
  try {
    if (statSync(path).size > FILE_BYTES_MAX) throw new Error(`more than ${FILE_BYTES_MAX} bytes`);
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return [{ where: `${path}:1:1`, key: '', message: `cannot be read: ${said}` }];
  }
  return parseYaml(path, text);
}

export function parseYaml(path: string, text: string): YamlFile | readonly Finding[] {
  const lines = new LineCounter();
  const position = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${path}:${line}:${col}`;
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
      return problems.map((each) => ({ where: position(each.pos[0]), key: '', message: each.message }));
    }
    const value: unknown = document.toJS({ maxAliasCount: ALIASES_MAX });
    return { name: path, value: value ?? {}, where: (keys) => position(offsetOf(document, keys)) };
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return [{ where: `${path}:1:1`, key: '', message: said }];
  }
}

function offsetOf(document: Document, keys: readonly PropertyKey[]): number {
  for (let depth = keys.length; depth > 0; depth -= 1) {
    const parent = depth === 1 ? document.contents : document.getIn(keys.slice(0, depth - 1), true);
    const name = keys[depth - 1];
    if (isMap(parent)) {
      const pair = parent.items.find((each) => isScalar(each.key) && each.key.value === name);
      if (pair !== undefined && isScalar(pair.key)) return pair.key.range?.[0] ?? 0;
    }
    const node = document.getIn(keys.slice(0, depth), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return 0;
}
