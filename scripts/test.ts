// `bun run test`: everything that this machine can run. What was skipped is named with its reason; with
// CI=true a skip is a failure. The last line is `N passed, N failed`. Arguments go to `bun test`, such as a
// path or `-t <name>`; without any, two files run at a time, since those that start servers mostly wait.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const TIMEOUT_MS = 300_000;
const ALL = ['--parallel=2'];
const root = resolve(import.meta.dir, '..');
const dir = mkdtempSync(join(tmpdir(), 'carbon-test-'));
const report = join(dir, 'junit.xml');

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly string[];
}

/** Counts of a JUnit report: one `testcase` each, with `failure` or `skipped` inside. */
function countsOf(xml: string): Counts {
  const cases = xml.matchAll(/<testcase name="([^"]*)"[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g);
  let passed = 0;
  let failed = 0;
  const skipped: string[] = [];
  for (const [, name = '', inside = ''] of cases) {
    if (inside.includes('<skipped')) skipped.push(name);
    else if (inside.includes('<failure') || inside.includes('<error')) failed += 1;
    else passed += 1;
  }
  return { passed, failed, skipped };
}

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
let { passed, failed, skipped }: Counts = { passed: 0, failed: 0, skipped: [] };
try {
  ({ passed, failed, skipped } = countsOf(readFileSync(report, 'utf8')));
} catch {
  console.log('bun test left no report: it ended before the tests did, or found none');
}
rmSync(dir, { recursive: true, force: true });
for (const name of skipped) console.log(`skipped: ${name}`);
if (process.env.CI === 'true') failed += skipped.length;
// A file that does not load has no test case that failed, but `bun test` says so by its exit code.
if (exitCode !== 0 && failed === 0) failed = 1;
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
