// One file against its schema: every problem at once, each with line and column. Keys that no schema knows
// warn and are left out; anything else that does not fit is a finding.

import type { z } from 'zod';
import type { Finding, YamlFile } from './yaml.ts';

type Tree = Record<string, unknown>;

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export interface Parsed<T> {
  readonly value: T | null;
  readonly findings: readonly Finding[];
  readonly warnings: readonly Finding[];
}

/** `place` finds where a path of the value stands; by default in the file itself. */
export function parseWith<T>(
  schema: z.ZodType<T>,
  value: unknown,
  place: (path: readonly PropertyKey[]) => string,
): Parsed<T> {
  const rest: unknown = structuredClone(value);
  const warnings: Finding[] = [];
  for (;;) {
    const result = schema.safeParse(rest);
    if (result.success) return { value: result.data, findings: [], warnings };
    const unknown = result.error.issues.filter((issue) => issue.code === 'unrecognized_keys');
    if (unknown.length === 0) {
      const findings = result.error.issues.map((issue) => ({
        where: place(issue.path),
        key: issue.path.join('.'),
        message: sentence(issue),
      }));
      return { value: null, findings, warnings };
    }
    for (const issue of unknown) {
      for (const key of issue.keys) {
        const path = [...issue.path, key];
        warnings.push({ where: place(path), key: path.join('.'), message: 'unknown key: it has no effect' });
        removeAt(rest, issue.path, key);
      }
    }
  }
}

function sentence(issue: z.core.$ZodIssue): string {
  const { message } = issue;
  return message.replace(/^Invalid (input|option): /, '').replace(/^./, (first) => first.toLowerCase());
}

function removeAt(root: unknown, path: readonly PropertyKey[], key: string): void {
  let at: unknown = root;
  for (const step of path) {
    if (Array.isArray(at)) at = at[Number(step)];
    else if (isTree(at)) at = at[String(step)];
  }
  if (isTree(at)) delete at[key];
}

/** `over` laid over `base`, tree by tree; lists and values are replaced whole. */
export function merged(base: unknown, over: unknown): unknown {
  if (!isTree(base) || !isTree(over)) return over === undefined ? base : over;
  const result: Tree = { ...base };
  for (const [key, value] of Object.entries(over)) {
    if (key !== '__proto__') result[key] = merged(result[key], value);
  }
  return result;
}

/** Whether the path leads anywhere. */
export function reaches(value: unknown, path: readonly PropertyKey[]): boolean {
  let at: unknown = value;
  for (const step of path) {
    if (Array.isArray(at)) at = at[Number(step)];
    else if (isTree(at) && Object.hasOwn(at, step)) at = at[String(step)];
    else return false;
    if (at === undefined) return false;
  }
  return true;
}

/** Never used with a file that has findings. */
export function placeIn(file: YamlFile): (path: readonly PropertyKey[]) => string {
  return (path) => file.where(path);
}
