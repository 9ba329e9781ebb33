// The command line of a replay: what is understood, and what is refused before anything is opened.

import { expect, test } from 'bun:test';
import { UsageError } from '../../../../runtime/cli/arguments.ts';
import { readWish } from '../../../../runtime/cli/replay-wish.ts';

test('everything is understood, in any place and either spelling', () => {
  const wanted = { paths: ['a', 'b'], data: 'd', speed: 10, exportDir: 'x', json: true };
  expect(readWish(['a', '--data', 'd', '--speed', '10x', '--export', 'x', '--json', 'b'])).toEqual(wanted);
  expect(readWish(['--data=d', '--json', '--export=x', '--speed=10x', 'a', 'b'])).toEqual(wanted);
});

test('a plain replay keeps nothing and goes as fast as it can', () => {
  const wanted = { paths: ['a'], data: null, speed: null, exportDir: null, json: false };
  expect(readWish(['a'])).toEqual(wanted);
  expect(readWish(['a', '--speed', 'max'])).toEqual(wanted);
});

test('help is nothing to do', () => {
  expect(readWish(['--help'])).toBeNull();
});

test('speeds are multiples', () => {
  const speeds = ['1x', '0.1x', '2.5x', '999999x'].map((text) => readWish(['a', '--speed', text])?.speed);
  expect(speeds).toEqual([1, 0.1, 2.5, 999_999]);
  for (const text of ['0x', '0.01x', '-1x', '10', 'x', '1e3x', 'fast', '']) {
    expect(() => readWish(['a', `--speed=${text}`])).toThrow(UsageError);
  }
});

test('what is missing or unknown is refused', () => {
  for (const words of [[], ['--json'], ['a', '--data'], ['a', '--data='], ['a', '--exprot', 'x']]) {
    expect(() => readWish(words)).toThrow(UsageError);
  }
});
