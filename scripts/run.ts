// The door that every script of package.json goes through: `bun scripts/run.ts <target.ts> [arguments]`.
// It installs from the lockfile when node_modules does not match it, then becomes the target: the same
// process by execve, so signals, terminal, `import.meta.main` and exit code are the target's own and no
// wrapper stays. Nothing here needs a dependency. Container images install at build time and start
// runtime/main.ts directly.

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isInstalled } from './stamp.ts';

const BUN_RANGE = '>=1.4.0';
const root = resolve(import.meta.dir, '..');

function refuse(sentence: string, exitCode: number): never {
  console.error(sentence);
  process.exit(exitCode);
}

const [target, ...rest] = process.argv.slice(2);
if (target === undefined) refuse('usage: bun scripts/run.ts <target.ts> [arguments]', 64);
if (!Bun.semver.satisfies(Bun.version, BUN_RANGE)) {
  const again = 'npx -y bun@1.4 run start';
  refuse(
    `This needs Bun 1.4 or later and runs on ${Bun.version}: upgrade Bun, or start by \`${again}\`.`,
    69,
  );
}
if (!isInstalled(root)) {
  const { install } = await import('./install.ts');
  const failure = await install(root);
  if (failure !== null) refuse(failure.sentence, failure.exitCode);
}

const file = resolve(root, target);
// execve is missing on Windows; there the target is loaded into this process.
process.execve?.(process.execPath, [process.execPath, file, ...rest], process.env);
process.argv.splice(1, 2, file);
await import(pathToFileURL(file).href);
