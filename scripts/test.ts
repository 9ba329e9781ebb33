// `bun run test`: everything that this machine can run. What was skipped is named with its reason; with
// CI=true a skip is a failure. What failed is told once more at the end, where a log that was cut still has
// it. The last line is `N passed, N failed`. Arguments go to `bun test`, such as a path or `-t <name>`;
// without any, two files run at a time, since those that start servers mostly wait.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Counts, countsOf } from './test-report.ts';

const TIMEOUT_MS = 300_000;
const ALL = ['--parallel=2'];
const root = resolve(import.meta.dir, '..');
const dir = mkdtempSync(join(tmpdir(), 'carbon-test-'));
const report = join(dir, 'junit.xml');

const wished = process.argv.slice(2);
const child = Bun.spawn(
  [
    process.execPath,
    'test',
    '--timeout',
    String(TIMEOUT_MS),
    '--reporter=junit',
    `--reporter-outfile=${report}`,
    ...(wished.length === 0 ? ALL : wished),
  ],
  { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] },
);
process.on('SIGINT', () => child.kill('SIGINT')).on('SIGTERM', () => child.kill('SIGTERM'));
const exitCode = await child.exited;
let { passed, failures, skipped }: Counts = { passed: 0, failures: [], skipped: [] };
try {
  ({ passed, failures, skipped } = countsOf(readFileSync(report, 'utf8')));
} catch {
  console.log('bun test left no report: it ended before the tests did, or found none');
}
rmSync(dir, { recursive: true, force: true });
for (const name of skipped) console.log(`skipped: ${name}`);
for (const failure of failures) console.log(failure);
let failed = failures.length;
if (process.env.CI === 'true') failed += skipped.length;
// A file that does not load has no test case that failed, but `bun test` says so by its exit code.
if (exitCode !== 0 && failed === 0) failed = 1;
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
