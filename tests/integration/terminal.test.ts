// What a person at a terminal sees, through a real pseudo-terminal: what runs where at once, a line of
// progress while the sample is replayed, and how to go on; then Ctrl-C, which drains.

import { expect, test } from 'bun:test';
import { resolve } from 'node:path';
import { productEnvironment, temporaryDirectory } from '../support/product.ts';
import { until } from '../support/until.ts';

const BOUND_MS = 240_000;
const CTRL_C = '\u0003';

test('ports at once, a live line of progress, how to go on, and Ctrl-C', async () => {
  using dir = temporaryDirectory();
  // `script` of util-linux gives the command a terminal of its own.
  const child = Bun.spawn(['script', '-qefc', `exec ${process.execPath} runtime/main.ts`, '/dev/null'], {
    cwd: resolve(import.meta.dir, '../..'),
    env: { ...productEnvironment(dir.path, {}), TERM: 'xterm' },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let shown = '';
  const decoder = new TextDecoder();
  const read = (async () => {
    for await (const chunk of child.stdout) shown += decoder.decode(chunk, { stream: true });
  })();
  const sees = (what: RegExp) => until(String(what), () => what.test(shown) || null, BOUND_MS);
  try {
    for (const service of ['normalization', 'enrichment', 'aggregation', 'projection', 'data-quality'])
      await sees(new RegExp(`http://127\\.0\\.0\\.1:\\d+ +${service}`));
    await sees(/replaying +[\d,]+ ticks +[\d,]+\/s +[\d,]+ bars +lag [\d,]+/);
    await sees(/85,553 ticks/);
    await sees(/bun run replay/);
    expect(shown).not.toContain('{"level"');
    child.stdin.write(CTRL_C);
    await child.stdin.flush();
    await sees(/SIGINT: finishing/);
    expect(await child.exited).toBe(0);
    await read;
  } finally {
    child.kill('SIGKILL');
  }
}, 400_000);
