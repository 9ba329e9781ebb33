// A small file system of its own, for tests of full and read-only disks. Needs the right to mount; where
// that is missing, `canMount` is false and such tests are skipped, which their names tell.

import { appendFileSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SmallDisk extends Disposable {
  readonly path: string;
  readOnly(): void;
  /** Writes `ballast` until that many bytes are left, or others were quicker. */
  fill(leave: number): void;
  /** `fill`, again and again until `relieve`: what a server tidies away gives it no room. */
  stayFull(leave: number): void;
  /** Takes `ballast` away again. */
  relieve(): void;
}

const PIECE_BYTES = 16 * 1024 ** 2;
const REFILL_MS = 100;

function run(...words: string[]): boolean {
  return Bun.spawnSync(words, { stdio: ['ignore', 'ignore', 'ignore'] }).exitCode === 0;
}

function mount(path: string, size: string): boolean {
  return process.platform === 'linux' && run('mount', '-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path);
}

export const canMount: boolean = (() => {
  const path = mkdtempSync(join(tmpdir(), 'carbon-mount-'));
  const could = mount(path, '64k');
  if (could) run('umount', path);
  rmSync(path, { recursive: true, force: true });
  return could;
})();

/** `size` as mount has it, such as `8m`. */
export function smallDisk(size: string): SmallDisk {
  const path = mkdtempSync(join(tmpdir(), 'carbon-disk-'));
  if (!mount(path, size)) throw new Error('cannot mount');
  let refilling: Timer | undefined;
  const disk: SmallDisk = {
    path,
    readOnly() {
      run('mount', '-o', 'remount,ro', path);
    },
    fill(leave) {
      const piece = new Uint8Array(PIECE_BYTES);
      for (;;) {
        const { bavail, bsize } = statfsSync(path);
        const bytes = Math.min(PIECE_BYTES, bavail * bsize - leave);
        if (bytes <= 0) return;
        try {
          appendFileSync(join(path, 'ballast'), piece.subarray(0, bytes));
        } catch (error) {
          if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return;
          throw error;
        }
      }
    },
    stayFull(leave) {
      disk.fill(leave);
      refilling = setInterval(() => disk.fill(leave), REFILL_MS);
    },
    relieve() {
      clearInterval(refilling);
      rmSync(join(path, 'ballast'));
    },
    [Symbol.dispose]() {
      clearInterval(refilling);
      run('umount', '-l', path);
      rmSync(path, { recursive: true, force: true });
    },
  };
  return disk;
}
