// The observations of one operating day in few bytes. The ordinary day (prices on the run's grid, one version
// each) is packed in columns of 13 bytes an observation; a day with corrections or trades is written out.
//
//   lean: [dayStartMs f64][stepMs u32][count u32][publications u8][each f64] then by column:
//         slot u16 · price i32 (millionths) · publication index u8 · hash 6 bytes

import { Defect } from './invariant.ts';
import type { Observation, Version } from './observation.ts';
import { seal, sealJson, unseal, unsealJson } from './sealed.ts';

const LEAN = 1;
const WRITTEN = 2;
const HEAD = 17;
const ROW = 13;
const INT32_MAX = 2_147_483_647;

/** Observations in order → bytes. Equal days give equal bytes. */
export function packDay(dayStartMs: number, observations: readonly Observation[]): Uint8Array {
  const publications = leanPublications(dayStartMs, observations);
  if (publications === null) return sealJson(WRITTEN, observations.map(written));
  const first = observations[0];
  const stepMs = first === undefined ? 0 : first.endMs - first.startMs;
  const bytes = new Uint8Array(HEAD + publications.length * 8 + observations.length * ROW);
  const view = new DataView(bytes.buffer);
  view.setFloat64(0, dayStartMs);
  view.setUint32(8, stepMs);
  view.setUint32(12, observations.length);
  view.setUint8(16, publications.length);
  for (const [n, publication] of publications.entries()) view.setFloat64(HEAD + n * 8, publication);
  let at = HEAD + publications.length * 8;
  for (const observation of observations) {
    const version = observation.versions[0];
    if (version === undefined || version.price === null)
      throw new Defect('a lean day has one priced version each');
    view.setUint16(at, (observation.startMs - dayStartMs) / stepMs);
    view.setInt32(at + 2, version.price);
    view.setUint8(at + 6, publications.indexOf(version.publication));
    view.setUint16(at + 7, Number.parseInt(version.hash.slice(0, 4), 16));
    view.setUint32(at + 9, Number.parseInt(version.hash.slice(4), 16));
    at += ROW;
  }
  return seal(LEAN, bytes);
}

/** Inverse of packDay. Throws a Defect on bytes it did not write. */
export function unpackDay(bytes: Uint8Array): Observation[] {
  const { version, body } = unseal(bytes, [LEAN, WRITTEN]);
  if (version === WRITTEN) return readWritten(unsealJson(bytes, [WRITTEN]));
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const dayStartMs = view.getFloat64(0);
  const stepMs = view.getUint32(8);
  const count = view.getUint32(12);
  const publications = Array.from({ length: view.getUint8(16) }, (_, n) => view.getFloat64(HEAD + n * 8));
  const out: Observation[] = [];
  let at = HEAD + publications.length * 8;
  for (let n = 0; n < count; n += 1) {
    const startMs = dayStartMs + view.getUint16(at) * stepMs;
    const publication = publications[view.getUint8(at + 6)] ?? 0;
    const hash = hex(view.getUint16(at + 7), 4) + hex(view.getUint32(at + 9), 8);
    const one: Version = { publication, hash, price: view.getInt32(at + 2), quantity: null };
    out.push({ startMs, endMs: startMs + stepMs, tradeId: null, versions: [one] });
    at += ROW;
  }
  return out;
}

/** Whether they are bytes that packDay wrote, told without reading them; throws a Defect when not. */
export function checkDay(bytes: Uint8Array): void {
  unseal(bytes, [LEAN, WRITTEN]);
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

/** The day's publications, ascending, when it can be packed lean; else null. */
function leanPublications(dayStartMs: number, observations: readonly Observation[]): number[] | null {
  const first = observations[0];
  if (first === undefined) return [];
  const stepMs = first.endMs - first.startMs;
  if (stepMs <= 0) return null;
  const publications = new Set<number>();
  for (const each of observations) {
    const version = each.versions[0];
    const slot = (each.startMs - dayStartMs) / stepMs;
    const onGrid =
      each.endMs - each.startMs === stepMs && Number.isInteger(slot) && slot >= 0 && slot < 65_536;
    if (!onGrid || each.tradeId !== null || each.versions.length !== 1 || version === undefined) return null;
    if (version.price === null || version.quantity !== null || Math.abs(version.price) > INT32_MAX)
      return null;
    publications.add(version.publication);
    if (publications.size > 255) return null;
  }
  return [...publications].sort((a, b) => a - b);
}

type WrittenVersion = readonly [
  publication: number,
  hash: string,
  price: number | null,
  quantity: number | null,
];
type Written = readonly [
  startMs: number,
  endMs: number,
  tradeId: string | null,
  versions: readonly WrittenVersion[],
];

function written(of: Observation): Written {
  const versions = of.versions.map(
    (each): WrittenVersion => [each.publication, each.hash, each.price, each.quantity],
  );
  return [of.startMs, of.endMs, of.tradeId, versions];
}

function readWritten(value: unknown): Observation[] {
  if (!Array.isArray(value)) throw new Defect('a written day is a list');
  const rows: readonly Written[] = value;
  return rows.map(([startMs, endMs, tradeId, versions]) => ({
    startMs,
    endMs,
    tradeId,
    versions: versions.map(([publication, hash, price, quantity]) => ({
      publication,
      hash,
      price,
      quantity,
    })),
  }));
}
