// The tables of the embedded log. A partition is `tp`: the topic's id times ten thousand, plus its number.
// A topic without a row in layouts has never had more partitions than now. `next` is always the offset of the
// next record: to be appended in ends, to be read in offsets.

export const SCHEMA = `
CREATE TABLE IF NOT EXISTS topics (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, partitions INTEGER NOT NULL,
  retention_ms INTEGER, compacted INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS layouts (topic INTEGER PRIMARY KEY, layout TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS batches (
  tp INTEGER NOT NULL, base INTEGER NOT NULL, count INTEGER NOT NULL, appended_ms INTEGER NOT NULL,
  codec INTEGER NOT NULL, checksum INTEGER NOT NULL, idx BLOB NOT NULL, bytes BLOB NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS batches_by_offset ON batches (tp, base);
CREATE TABLE IF NOT EXISTS ends (tp INTEGER PRIMARY KEY, next INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS offsets (
  grp TEXT NOT NULL, tp INTEGER NOT NULL, next INTEGER NOT NULL, PRIMARY KEY (grp, tp)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (
  owner TEXT NOT NULL, tp INTEGER NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
  PRIMARY KEY (owner, tp, key)) WITHOUT ROWID;
`;
