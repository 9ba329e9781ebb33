// Migrations: what the database looks like, step by step, recorded and idempotent. A step that was applied
// and has changed since is refused, because two machines would disagree about what the number means.

import type { ClickHouse } from './clickhouse.ts';
import { letterBodies } from './letter-table.ts';
import { Fault } from './sink.ts';
import { createTable, DATABASE, onCluster } from './table.ts';
import { TABLES } from './tables.ts';
import { VIEWS } from './views.ts';

export interface Migration {
  readonly id: number;
  readonly name: string;
  readonly statements: readonly string[];
}

export function migrations(cluster: string | null): Migration[] {
  return [
    { id: 1, name: 'tables', statements: TABLES.map((table) => createTable(table, cluster)) },
    { id: 2, name: 'views', statements: VIEWS.map((view) => view.create(cluster)) },
    { id: 3, name: 'bodies of dead letters', statements: [createTable(letterBodies, cluster)] },
  ];
}

/** What must be there before a migration can be recorded. */
export function foundation(cluster: string | null): string[] {
  return [
    `CREATE DATABASE IF NOT EXISTS ${DATABASE}${onCluster(cluster)}`,
    `CREATE TABLE IF NOT EXISTS ${DATABASE}.schema_migrations${onCluster(cluster)} (
       id UInt32, name String, checksum String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
     ) ENGINE = ${cluster === null ? '' : 'Replicated'}MergeTree ORDER BY id`,
  ];
}

/**
 * Applies what is missing, in order; returns the names of what it applied. `cluster`: on all of its servers,
 * replicated. Throws Fault.
 */
export async function migrate(clickhouse: ClickHouse, cluster: string | null): Promise<string[]> {
  for (const statement of foundation(cluster)) await clickhouse.command(statement);
  const rows = await clickhouse.rows<{ id: number; checksum: string }>(
    `SELECT id, checksum FROM ${DATABASE}.schema_migrations`,
  );
  const applied = new Map(rows.map((row) => [row.id, row.checksum]));
  const done: string[] = [];
  for (const migration of migrations(cluster)) {
    const checksum = checksumOf(migration);
    const known = applied.get(migration.id);
    if (known !== undefined && known !== checksum) {
      const changed = `migration ${migration.id} (${migration.name}) was applied in another form`;
      const message = `${changed}: start from an empty database, or bring back the version that made it`;
      throw new Fault(message, 'clickhouse_migration_changed', false);
    }
    if (known !== undefined) continue;
    for (const statement of migration.statements) await clickhouse.command(statement);
    await clickhouse.command(
      `INSERT INTO ${DATABASE}.schema_migrations (id, name, checksum)
       SETTINGS insert_deduplication_token = '${crypto.randomUUID()}'
       VALUES ({id: UInt32}, {name: String}, {checksum: String})`,
      { id: migration.id, name: migration.name, checksum },
    );
    done.push(migration.name);
  }
  return done;
}

function checksumOf(migration: Migration): string {
  return new Bun.CryptoHasher('sha256').update(migration.statements.join(';\n')).digest('hex').slice(0, 16);
}
