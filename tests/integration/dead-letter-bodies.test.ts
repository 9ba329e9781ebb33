// Records of other producers that are far too large and no JSON: refused with a bounded letter, and their
// whole bodies, to the byte, can be had back from ClickHouse by the query of the README.

import { expect, setDefaultTimeout, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEAD_LETTERS_RAW, DEAD_LETTERS_TICKS, rawTopic, TOPIC } from '../../runtime/services.ts';
import { openBench } from '../support/bench.ts';
import { temporaryDirs } from '../support/temporary.ts';
import { readTopic } from '../support/topics.ts';

setDefaultTimeout(240_000);
const newDir = temporaryDirs('carbon-bodies');

/** Text of every length of UTF-8, quotes and zeros, and no JSON. */
function body(bytes: number, seed: number): Uint8Array {
  const text = Array.from({ length: bytes / 4 }, (_, n) => 'é"\u0000\\z東'[(n * seed) % 6] ?? 'x').join('');
  return new TextEncoder().encode(text).subarray(0, bytes);
}

/** The statement in the README that puts a body together. */
function documentedQuery(letterId: string): string {
  const text = readFileSync(join(import.meta.dir, '../../README.md'), 'utf8');
  const found = /SELECT arrayStringConcat[\s\S]*?letter_id = '…'/.exec(text)?.[0];
  if (found === undefined) throw new Error('the README has no such query');
  return found.replace('…', letterId);
}

test('a refused body of any size is in bronze, whole', async () => {
  const bench = await openBench({ dir: newDir() });
  try {
    const bodies = [
      { topic: rawTopic('CAISO'), key: 'CAISO:DAM:A', value: body(900_000, 1) },
      { topic: TOPIC.ticks, key: 'CAISO:DAM:B', value: body(300_000, 3) },
      { topic: TOPIC.ticks, key: 'CAISO:DAM:C', value: body(65_536, 5) },
    ];
    for (const each of bodies) await bench.log.append('other', [each], []);
    await bench.pipeline.caughtUp(new AbortController().signal);
    const letters = [
      ...(await readTopic(bench.log, DEAD_LETTERS_RAW)),
      ...(await readTopic(bench.log, DEAD_LETTERS_TICKS)),
    ].map(({ value }) => value);
    for (const { value, topic } of bodies.slice(0, 2)) {
      const sha256 = new Bun.CryptoHasher('sha256').update(value).digest('hex');
      const of = letters.filter((each) => each.original_sha256 === sha256);
      expect(of.length).toBeGreaterThan(0);
      for (const letter of of) {
        expect(letter).toMatchObject({ original_bytes: value.length, origin: { topic } });
        const stream = await bench.clickhouse.bytes(
          `SELECT hex(SHA256(*)) FROM (${documentedQuery(String(letter.event_id))} ) FORMAT TSV`,
        );
        const text = await new Response(stream).text();
        expect(text.trim().toLowerCase()).toBe(sha256);
      }
    }
    const [row] = await bench.clickhouse.rows<{ n: number }>(
      'SELECT count() AS n FROM carbon_ingestion.bronze_dead_letter_bodies WHERE original_bytes <= 65536',
    );
    expect(row?.n).toBe(0);
    const { checks } = await bench.conservation();
    const check = checks.find(({ what }) => what.includes('bodies'));
    expect(check?.off).toBe(0);
    expect(check?.left).toBeGreaterThan(4);
  } finally {
    await bench.close();
  }
});
