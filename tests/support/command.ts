// Runs a command of the product to its end, with free ports and a directory of its own, and tells what it
// said.

import { resolve } from 'node:path';
import { productEnvironment } from './product.ts';

const root = resolve(import.meta.dir, '../..');

export interface Said {
  readonly code: number;
  /** Lines of standard output. */
  readonly lines: readonly string[];
  readonly errors: string;
}

/** `file`: of the product, such as `runtime/main.ts`. */
export async function command(
  file: string,
  dir: string,
  env: Readonly<Record<string, string>> = {},
  ...words: readonly string[]
): Promise<Said> {
  const child = Bun.spawn([process.execPath, file, ...words], {
    cwd: root,
    env: productEnvironment(dir, env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [output, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, lines: output.split('\n').filter((line) => line !== ''), errors };
}
