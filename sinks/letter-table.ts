// The bodies of refused records that are too large for their dead letters, in chunks as they stood on the
// log. To have one back, put its chunks together in order:
//
//   SELECT arrayStringConcat(arrayMap(each -> each.2, arraySort(groupArray((chunk, body)))))
//   FROM carbon_ingestion.bronze_dead_letter_bodies WHERE letter_id = '…'

import { count, envelope, name, type Table, text } from './table.ts';

export const letterBodies: Table = {
  name: 'bronze_dead_letter_bodies',
  columns: [
    ...envelope,
    text('letter_id'),
    name('service'),
    name('origin_topic'),
    count('origin_partition'),
    count('origin_offset', 'UInt64'),
    count('chunk'),
    count('chunks'),
    { name: 'body', type: 'String CODEC(ZSTD(3))', read: 'String', from: 'base64Decode(body)' },
    count('original_bytes', 'UInt64'),
    text('original_sha256'),
  ],
  engine: 'ReplacingMergeTree()',
  partitionBy: 'toYYYYMM(occurred_at)',
  orderBy: 'letter_id, chunk',
  nested: false,
  where: null,
  verbatim: false,
};
