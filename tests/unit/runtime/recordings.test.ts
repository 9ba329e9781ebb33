// Which files a replay finds below the paths it is given, and what it says of the others.

import { expect, test } from 'bun:test';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileResponses, listRecordings } from '../../../runtime/recordings.ts';
import { temporaryDirs } from '../../support/temporary.ts';

const temporary = temporaryDirs('carbon-recordings');

function folder(files: readonly string[]): string {
  const dir = temporary();
  for (const file of files) {
    mkdirSync(join(dir, file, '..'), { recursive: true });
    writeFileSync(join(dir, file), file);
  }
  return dir;
}

test('folders are walked by name, each file is found once, READMEs and hidden files are passed over', () => {
  const dir = folder(['b.csv', 'a/2.xml', 'a/1.xml', 'README.md', '.hidden', 'a/deep/er/3.zip']);
  const found = listRecordings([join(dir, 'b.csv'), dir, join(dir, 'a')]);
  const names = ['b.csv', 'a/1.xml', 'a/2.xml', 'a/deep/er/3.zip'];
  expect(found).toEqual({ files: names.map((name) => join(dir, name)), unreadable: [] });
});

test('a hidden file or a README that is named is taken', () => {
  const dir = folder(['README.md', '.hidden']);
  const paths = [join(dir, 'README.md'), join(dir, '.hidden')];
  expect(listRecordings(paths)).toEqual({ files: paths, unreadable: [] });
});

test('what is not there, holds nothing, or leads nowhere is said with its reason', () => {
  const dir = folder(['some/README.md']);
  symlinkSync(join(dir, 'gone'), join(dir, 'dangling'));
  const paths = [join(dir, 'nowhere'), join(dir, 'some'), join(dir, 'dangling'), '/dev/null'];
  const { files, unreadable } = listRecordings(paths);
  expect(files).toEqual([]);
  expect(unreadable.map(({ reason }) => reason)).toEqual([
    'there is no such file or folder',
    'no recording is in it',
    'there is no such file or folder',
    'neither a file nor a folder',
  ]);
  expect(unreadable.map(({ path }) => path)).toEqual(paths);
});

test('links that go round in a circle end', () => {
  const dir = folder(['a/1.csv']);
  symlinkSync(dir, join(dir, 'a', 'up'));
  const { files, unreadable } = listRecordings([dir]);
  expect(files).toEqual([join(dir, 'a/1.csv')]);
  expect(unreadable).toEqual([]);
});

test('a file that vanishes before its turn is reported, and the next one is read', async () => {
  const dir = folder(['2.csv']);
  const lost: string[] = [];
  const names: string[] = [];
  const paths = [join(dir, '1.csv'), join(dir, '2.csv')];
  for await (const { name } of fileResponses(paths, 't', ({ path }) => lost.push(path))) names.push(name);
  expect([lost, names]).toEqual([[join(dir, '1.csv')], ['2.csv']]);
});
