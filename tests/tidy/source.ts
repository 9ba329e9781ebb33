// A tracked file as the tidy rules see it: its text, and for TypeScript its syntax tree and what it imports.
// Everything comes from the text handed in, so that a rule can be shown a crafted violation without any disk.

import { dirname, join, normalize } from 'node:path/posix';
import { type Node, parseSync, Visitor, type VisitorObject } from 'oxc-parser';

/** One thing to mend. `line` counts from 1. */
export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly rule: string;
  readonly message: string;
}

/** What a rule yields: offset into the text, and what is wrong. The walk adds file, line and rule name. */
export type Complaint = readonly [offset: number, message: string];

/** An import in any form: static, type-only, dynamic, `import()` type, re-export, worker URL. */
export interface Import {
  readonly offset: number;
  /** As written. */
  readonly specifier: string;
  /** Path from the root of the repository, or null for a library. */
  readonly target: string | null;
}

export interface Source {
  /** Path from the root of the repository, with `/`. */
  readonly path: string;
  readonly text: string;
  /** Null when the file is no TypeScript. */
  readonly code: Code | null;
}

export interface Code {
  readonly imports: readonly Import[];
  /** Runs the visitors over the syntax tree, parents before children. */
  visit(visitors: VisitorObject): void;
  /** First syntax error, or null. */
  readonly error: Complaint | null;
}

export interface Rule {
  readonly name: string;
  check(source: Source): Iterable<Complaint>;
}

/** `path` decides whether the text is parsed as TypeScript. */
export function sourceOf(path: string, text: string): Source {
  return { path, text, code: path.endsWith('.ts') ? codeOf(path, text) : null };
}

/** 1 for the first line. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

function codeOf(path: string, text: string): Code {
  const parsed = parseSync(path, text, { lang: 'ts', sourceType: 'module' });
  const first = parsed.errors[0];
  const visit = (visitors: VisitorObject) => new Visitor(visitors).visit(parsed.program);
  return {
    imports: importsOf(path, visit),
    visit,
    error: first === undefined ? null : [first.labels[0]?.start ?? 0, first.message],
  };
}

function importsOf(path: string, visit: (visitors: VisitorObject) => void): Import[] {
  const imports: Import[] = [];
  const add = (from: Node | null | undefined) => {
    if (from?.type !== 'Literal' || typeof from.value !== 'string') return;
    const specifier = from.value;
    const target = specifier.startsWith('.') ? normalize(join(dirname(path), specifier)) : null;
    imports.push({ offset: from.start, specifier, target });
  };
  visit({
    ImportDeclaration: (node) => add(node.source),
    ExportNamedDeclaration: (node) => add(node.source),
    ExportAllDeclaration: (node) => add(node.source),
    ImportExpression: (node) => add(node.source),
    TSImportType: (node) => add(node.source),
    TSExternalModuleReference: (node) => add(node.expression),
    CallExpression: (node) => {
      if (node.callee.type === 'Identifier' && node.callee.name === 'require') add(node.arguments[0]);
    },
    NewExpression: (node) => {
      if (node.callee.type === 'Identifier' && node.callee.name === 'URL' && node.arguments.length === 2) {
        add(node.arguments[0]);
      }
    },
  });
  return imports;
}
