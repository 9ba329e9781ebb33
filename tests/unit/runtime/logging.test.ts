// Log files: the active file keeps its name, five older ones are kept, no line is lost between them or cut.

import { expect, test } from 'bun:test';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { RotatingFile } from '../../../runtime/logging.ts';
import { temporaryDirectory } from '../../support/product.ts';

test('rotates at its bound and keeps five, newest first', () => {
  using dir = temporaryDirectory();
  const path = join(dir.path, 'x.log');
  const file = new RotatingFile(path, 100);
  for (let line = 0; line < 100; line += 1) file.write(`${JSON.stringify({ line, text: 'ä' })}\n`);
  const names = ['x.log', 'x.log.1', 'x.log.2', 'x.log.3', 'x.log.4', 'x.log.5'];
  expect(readdirSync(dir.path).sort()).toEqual(names);
  const lines = names.reverse().flatMap((name) => {
    expect(statSync(join(dir.path, name)).size).toBeLessThanOrEqual(100);
    return readFileSync(join(dir.path, name), 'utf8').trimEnd().split('\n');
  });
  const numbers = lines.map((line) => Number(JSON.parse(line).line));
  expect(numbers).toEqual(Array.from(numbers, (_, index) => 100 - numbers.length + index));
});
