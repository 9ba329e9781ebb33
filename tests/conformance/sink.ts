// What every sink of projection must do: one suite for the embedded engine and for a server.

import { describe } from 'bun:test';
import { schemaTests } from './sink-schema.ts';
import { type OpenSink, writeTests } from './sink-writes.ts';

/** `open` gives a migrated database once the tests run. */
export function sinkConformance(name: string, open: () => OpenSink): void {
  describe(`sink: ${name}`, () => {
    schemaTests(() => open().clickhouse);
    writeTests(open);
  });
}
