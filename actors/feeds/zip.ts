// Zip archives, read within bounds: fflate's owner. The directory says what each file must unpack to, and the
// file is held to its length and its checksum, so damage is never read as a price. A bomb is refused by what
// it claims and cannot give more; a cut archive is told apart from one that is no archive.

import { inflateSync } from 'fflate';
import type { RefusedResponse } from './feed.ts';

/**
 * One response may unpack to this much: OASIS' largest hour of all nodes is about 210 MB a day / 24 a file.
 */
export const UNPACKED_BYTES_MAX = 512 * 1024 * 1024;
const MEMBERS_MAX = 64;
const RATIO_MAX = 200;
/** Packed better than RATIO_MAX is no concern below this. */
const SMALL_BYTES = 1_048_576;

export interface Member {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && (bytes[2] === 0x03 || bytes[2] === 0x05);
}

/** The files of an archive in its own order, or why it is refused. Folders are left out. */
export function unzip(archive: Uint8Array): readonly Member[] | RefusedResponse {
  if (!isZip(archive)) {
    return refused('truncated', 'it does not begin as a zip: the beginning of the download is missing');
  }
  const view = new DataView(archive.buffer, archive.byteOffset, archive.byteLength);
  const end = endOfDirectory(view);
  if (end === null) {
    return refused('truncated', 'the zip ends before its directory: the download was cut');
  }
  const entries = directory(archive, view, end);
  if ('reason' in entries) return entries;
  const bomb = tooLarge(entries, archive.length);
  if (bomb !== null) return refused('too_large', `the zip holds ${bomb}`);
  const members: Member[] = [];
  for (const entry of entries) {
    if (entry.name.endsWith('/')) continue;
    const bytes = unpack(archive, view, entry);
    if ('reason' in bytes) return bytes;
    members.push({ name: entry.name, bytes });
  }
  return members;
}

function refused(reason: RefusedResponse['reason'], detail: string): RefusedResponse {
  return { reason, detail };
}

/** A file as the directory describes it. */
interface Entry {
  readonly name: string;
  readonly method: number;
  readonly encrypted: boolean;
  readonly crc: number;
  readonly packed: number;
  readonly unpacked: number;
  readonly at: number;
}

const END_BYTES = 22;
const COMMENT_BYTES_MAX = 65_535;
const END_MARK = 0x06054b50;
const ENTRY_MARK = 0x02014b50;
const ENTRY_BYTES = 46;
const FILE_MARK = 0x04034b50;
const FILE_BYTES = 30;

/** Where the end-of-directory record stands: within the last bytes, as it must; null when it does not. */
function endOfDirectory(view: DataView): number | null {
  const last = view.byteLength - END_BYTES;
  for (let at = last; at >= Math.max(0, last - COMMENT_BYTES_MAX); at -= 1) {
    if (view.getUint32(at, true) === END_MARK) return at;
  }
  return null;
}

const decoder = new TextDecoder();

function directory(archive: Uint8Array, view: DataView, end: number): readonly Entry[] | RefusedResponse {
  const count = view.getUint16(end + 10, true);
  if (count > MEMBERS_MAX) return refused('too_large', `the zip holds more than ${MEMBERS_MAX} files`);
  const entries: Entry[] = [];
  let at = view.getUint32(end + 16, true);
  for (let n = 0; n < count; n += 1) {
    if (at + ENTRY_BYTES > end || view.getUint32(at, true) !== ENTRY_MARK) {
      return refused('truncated', `the zip's directory is damaged at file ${n + 1} of ${count}`);
    }
    const nameBytes = view.getUint16(at + 28, true);
    const rest = view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    entries.push({
      name: decoder.decode(archive.subarray(at + ENTRY_BYTES, at + ENTRY_BYTES + nameBytes)),
      method: view.getUint16(at + 10, true),
      encrypted: (view.getUint16(at + 8, true) & 1) === 1,
      crc: view.getUint32(at + 16, true),
      packed: view.getUint32(at + 20, true),
      unpacked: view.getUint32(at + 24, true),
      at: view.getUint32(at + 42, true),
    });
    at += ENTRY_BYTES + nameBytes + rest;
  }
  return entries;
}

/** What is too much of it, in words; null when it is within bounds. */
function tooLarge(entries: readonly Entry[], archiveBytes: number): string | null {
  const claimed = entries.reduce((sum, each) => sum + each.unpacked, 0);
  if (claimed > UNPACKED_BYTES_MAX) return `more than ${UNPACKED_BYTES_MAX} bytes unpacked`;
  if (claimed > SMALL_BYTES && claimed > RATIO_MAX * archiveBytes) return `packed more than ${RATIO_MAX}:1`;
  return null;
}

const STORED = 0;
const DEFLATED = 8;

function unpack(archive: Uint8Array, view: DataView, entry: Entry): Uint8Array | RefusedResponse {
  const { name, method, encrypted, at, packed, unpacked } = entry;
  if (encrypted) return refused('malformed', `'${name}' in the zip is encrypted`);
  if (method !== STORED && method !== DEFLATED) {
    return refused('malformed', `'${name}' in the zip is packed by method ${method}; known are 0 and 8`);
  }
  if (at + FILE_BYTES > archive.length || view.getUint32(at, true) !== FILE_MARK) {
    return refused('truncated', `'${name}' is not where the zip's directory says`);
  }
  const from = at + FILE_BYTES + view.getUint16(at + 26, true) + view.getUint16(at + 28, true);
  if (from + packed > archive.length) return refused('truncated', `'${name}' is cut in the zip`);
  const body = archive.subarray(from, from + packed);
  const bytes = method === STORED ? body : inflate(body, unpacked);
  if (bytes === null || bytes.length !== unpacked || Bun.hash.crc32(bytes) !== entry.crc) {
    return refused('malformed', `'${name}' in the zip is damaged: it is not what its checksum says`);
  }
  return bytes;
}

/** Null when the bytes are no deflated text; never gives more than one byte over what is expected. */
function inflate(packed: Uint8Array, expected: number): Uint8Array | null {
  try {
    return inflateSync(packed, { out: new Uint8Array(expected + 1) });
  } catch {
    return null;
  }
}
