// `bun run check`: types, lint and format, tidy rules. Each runs even if one before it failed; the last line
// is `N passed, N failed`. `--fix` lets the formatter write.

import { resolve } from 'node:path';

const root = resolve(import.meta.dir, '..');
const bin = (name: string): string => resolve(root, 'node_modules/.bin', name);
const biome = process.argv.includes('--fix')
  ? [bin('biome'), 'check', '--write', '.']
  : [bin('biome'), 'check', '--error-on-warnings', '.'];
const CHECKS: readonly (readonly [name: string, command: readonly string[]])[] = [
  ['types', [bin('tsc'), '--noEmit']],
  ['lint and format', biome],
  ['tidy', [process.execPath, 'test', 'tests/tidy.test.ts', '--only-failures']],
];

let failed = 0;
for (const [name, command] of CHECKS) {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { cwd: root });
  console.log(`${exitCode === 0 ? 'ok    ' : 'FAILED'} ${name}`);
  if (exitCode === 0) continue;
  failed += 1;
  process.stdout.write(stdout);
  process.stderr.write(stderr);
}
console.log(`${CHECKS.length - failed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
