// Walks the rules over files: all tracked ones and those that are new and not ignored.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { IMPORT_RULES, secondOwners } from './imports.ts';
import { type Finding, lineAt, type Rule, type Source, sourceOf } from './source.ts';
import { SYNTAX_RULES } from './syntax.ts';
import { TEXT_RULES } from './text.ts';

export const RULES: readonly Rule[] = [...TEXT_RULES, ...IMPORT_RULES, ...SYNTAX_RULES];

/** All findings, by file and line. */
export function findings(sources: readonly Source[]): Finding[] {
  const each = sources.flatMap((source) => RULES.flatMap((rule) => findingsOf(rule, source)));
  const all = [...each, ...secondOwners(sources)];
  return all.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : a.line - b.line));
}

function findingsOf(rule: Rule, { path, text, code }: Source): Finding[] {
  const complaints = [...rule.check({ path, text, code })];
  return complaints.map(([offset, message]) => ({
    path,
    line: lineAt(text, offset),
    rule: rule.name,
    message,
  }));
}

/** The text files of the repository at `root`; what git ignores or holds as binary is left out. */
export function readTree(root: string): Source[] {
  const git = Bun.spawnSync(['git', 'ls-files', '-coz', '--exclude-standard'], { cwd: root });
  if (git.exitCode !== 0) throw new Error(`git ls-files failed: ${git.stderr.toString()}`);
  const paths = git.stdout.toString().split('\0').filter(Boolean);
  return paths.flatMap((path) => {
    const file = join(root, path);
    if (!existsSync(file)) return [];
    const text = readFileSync(file, 'utf8');
    return text.includes('\0') ? [] : [sourceOf(path, text)];
  });
}
