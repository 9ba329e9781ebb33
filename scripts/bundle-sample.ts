// Makes sample/ from a folder of recordings: `bun scripts/bundle-sample.ts <folder>`. Each file is
// compressed, its hash and the time it counts as taken are written to the manifest. Run by hand when the
// sample changes.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';

interface Picked {
  readonly path: string;
  /** When it was taken, or the best that is known: the publication where the operator gives none. */
  readonly takenAt: string;
}

const PICKED: readonly Picked[] = [
  {
    path: 'caiso/dam/20200101_20200101_PRC_LMP_DAM_20200630_22_50_44_v1.csv.zip',
    takenAt: '2020-07-01T05:50:44Z',
  },
  {
    path: 'caiso/rtpd15/20220901_20220905_PRC_RTPD_LMP_RTPD_20230213_13_35_13_v3.csv',
    takenAt: '2023-02-13T21:35:13Z',
  },
  {
    path: 'caiso/rtm5/REBUILT_PRC_INTVL_LMP_RTM_lmp1Day_20180920T152221.xml',
    takenAt: '2018-09-20T15:22:21Z',
  },
  { path: 'miso/20110716_da_lmp.csv', takenAt: '2011-07-16T00:00:00Z' },
  {
    path: 'miso/20261001_GetRealTimeFiveMinExPost_Previous.EXCERPT_first_hour.json',
    takenAt: '2026-10-02T00:00:00Z',
  },
  { path: 'miso/20261002T1650_GetExAnteLmp.json', takenAt: '2026-10-02T21:50:00Z' },
];

const [from] = process.argv.slice(2);
if (from === undefined) {
  console.error('usage: bun scripts/bundle-sample.ts <folder of recordings>');
  process.exit(64);
}

const to = resolve(import.meta.dir, '../sample');
mkdirSync(to, { recursive: true });
const files = PICKED.map(({ path, takenAt }) => {
  const bytes = readFileSync(join(from, path));
  const name = basename(path);
  const packed = name.endsWith('.zip') ? bytes : Bun.zstdCompressSync(bytes, { level: 19 });
  const file = name.endsWith('.zip') ? name : `${name}.zst`;
  writeFileSync(join(to, file), packed);
  const sha256 = new Bun.CryptoHasher('sha256').update(bytes).digest('hex');
  return { file, name, bytes: bytes.length, sha256, takenAt };
});
writeFileSync(join(to, 'manifest.json'), `${JSON.stringify({ files }, null, 2)}\n`);
console.log(`${files.length} recordings in ${to}`);
