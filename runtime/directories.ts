// Whether a directory can be used, found out by using it: a file is really written there, or above it
// where it does not exist yet, and removed. So a read-only file system, a full disk and the superuser's
// rights are all told rightly. Nothing stays behind.

import { closeSync, fsyncSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const PROBE = new Uint8Array(65_536);

/** Null when files can be written in `dir` (which may not exist yet), else why not. */
export function whyUnwritable(dir: string): string | null {
  try {
    const at = nearest(resolve(dir));
    if (!statSync(at).isDirectory()) return `${at} is not a directory`;
    return whyNoFile(at);
  } catch (error) {
    return said(error);
  }
}

/** Bytes that may still be written where `dir` is, or will be; null when the system does not tell. */
export function freeBytes(dir: string): number | null {
  try {
    const { bavail, bsize } = statfsSync(nearest(resolve(dir)));
    return bavail * bsize;
  } catch {
    return null;
  }
}

function whyNoFile(dir: string): string | null {
  const path = join(dir, `.carbon-probe-${process.pid}`);
  try {
    const file = openSync(path, 'w', 0o600);
    try {
      writeSync(file, PROBE);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    return null;
  } catch (error) {
    return said(error);
  } finally {
    rmSync(path, { force: true });
  }
}

/** The directory itself, or the closest one above it that exists. */
function nearest(dir: string): string {
  try {
    statSync(dir);
    return dir;
  } catch (error) {
    const above = dirname(dir);
    const code = error instanceof Error && 'code' in error ? error.code : null;
    if (code !== 'ENOENT' || above === dir) throw error;
    return nearest(above);
  }
}

const SENTENCES: Readonly<Record<string, string>> = {
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'its file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  ENOTDIR: 'a part of the path is not a directory',
  EFBIG: 'the file size limit of this process is too small',
};

function said(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const message = error instanceof Error ? error.message : String(error);
  const sentence = SENTENCES[code];
  return sentence === undefined ? message : `${sentence} (${code})`;
}
