// The schema for a replicated cluster: what differs from that of one server, as text, and that ClickHouse's
// own parser takes every statement of it. No cluster runs here.

import { expect, test } from 'bun:test';
import { foundation, migrations } from '../../sinks/migrations.ts';
import { createTable } from '../../sinks/table.ts';
import { TABLES } from '../../sinks/tables.ts';
import { engineForTests } from '../support/engine.ts';

const engine = engineForTests();
const CLUSTER = '{cluster}';

const statements = (cluster: string | null): string[] => [
  ...foundation(cluster),
  ...migrations(cluster).flatMap((each) => each.statements),
];

test('every statement says ON CLUSTER, and without a cluster none does', () => {
  expect(statements(CLUSTER).length).toBeGreaterThan(TABLES.length + 2);
  for (const each of statements(CLUSTER)) {
    expect(each).toMatch(/^CREATE (DATABASE|TABLE|OR REPLACE VIEW)[\w ]* [\w.]+ ON CLUSTER '\{cluster\}'/);
  }
  for (const each of statements(null)) expect(each).not.toMatch(/ON CLUSTER|Replicated/);
});

test('every table replicates and replaces by the same version, and remembers inserted blocks', () => {
  for (const table of TABLES) {
    const made = createTable(table, CLUSTER);
    const version = /ReplacingMergeTree\((\w*)\)/.exec(table.engine)?.[1];
    expect(made).toContain(`ENGINE = ReplicatedReplacingMergeTree(${version})\n`);
    expect(made).toContain('SETTINGS replicated_deduplication_window = 1000');
    const plain = made
      .replace(" ON CLUSTER '{cluster}'", '')
      .replace('Replicated', '')
      .replace('replicated_dedup', 'non_replicated_dedup');
    expect(plain).toBe(createTable(table, null));
  }
  expect(foundation(CLUSTER)[1]).toContain('ENGINE = ReplicatedMergeTree ORDER BY id');
});

test('ClickHouse reads each statement as it is meant', async () => {
  for (const query of statements(CLUSTER)) {
    const [found] = await engine().clickhouse.rows<{ read: string }>(
      'SELECT formatQuerySingleLine({query: String}) AS read',
      { query },
    );
    expect(found?.read).toContain('ON CLUSTER `{cluster}`');
  }
});
