// Zip archives, read within bounds: fflate's owner. A bomb is refused by what it claims and by what it gives;
// a cut archive is told apart from one that is no archive.

import { unzipSync } from 'fflate';
import type { RefusedResponse } from './feed.ts';

/**
 * One response may unpack to this much: OASIS' largest hour of all nodes is about 210 MB a day / 24 a file.
 */
export const UNPACKED_BYTES_MAX = 512 * 1024 * 1024;
const MEMBERS_MAX = 64;
const RATIO_MAX = 200;

export interface Member {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && (bytes[2] === 0x03 || bytes[2] === 0x05);
}

/** The files of an archive in its own order, or why it is refused. */
export function unzip(archive: Uint8Array): readonly Member[] | RefusedResponse {
  if (!isZip(archive)) {
    return {
      reason: 'truncated',
      detail: 'it does not begin as a zip: the beginning of the download is missing',
    };
  }
  if (!hasDirectory(archive)) {
    return { reason: 'truncated', detail: 'the zip ends before its directory: the download was cut' };
  }
  let claimed = 0;
  let members = 0;
  let tooLarge: string | null = null;
  try {
    const files = unzipSync(archive, {
      filter: (file) => {
        members += 1;
        claimed += file.originalSize;
        if (members > MEMBERS_MAX) tooLarge = `more than ${MEMBERS_MAX} files`;
        if (claimed > UNPACKED_BYTES_MAX) tooLarge = `more than ${UNPACKED_BYTES_MAX} bytes unpacked`;
        if (claimed > 1_048_576 && claimed > RATIO_MAX * archive.length)
          tooLarge = `packed more than ${RATIO_MAX}:1`;
        return tooLarge === null;
      },
    });
    if (tooLarge !== null) return { reason: 'too_large', detail: `the zip holds ${tooLarge}` };
    return Object.entries(files).map(([name, bytes]) => ({ name, bytes }));
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return { reason: 'truncated', detail: `the zip cannot be unpacked: ${said}` };
  }
}

const END_BYTES = 22;
const COMMENT_BYTES_MAX = 65_535;

/** Whether the end-of-directory record stands within the last bytes, where it must be. */
function hasDirectory(archive: Uint8Array): boolean {
  const from = Math.max(0, archive.length - END_BYTES - COMMENT_BYTES_MAX);
  for (let at = archive.length - END_BYTES; at >= from; at -= 1) {
    if (archive[at] === 0x50 && archive[at + 1] === 0x4b && archive[at + 2] === 5 && archive[at + 3] === 6)
      return true;
  }
  return false;
}
