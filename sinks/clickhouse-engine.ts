// The entry of the engine's own process: the genuine ClickHouse of the chdb package, run as clickhouse-local
// with its HTTP and native listeners opened. It ends when its standard input closes, so it never outlives its
// parent.
// bun clickhouse-engine.ts <library> <directory> <http port> <tcp port> [further arguments of
// clickhouse-local …]

import { dlopen, FFIType, ptr } from 'bun:ffi';
import { rmSync } from 'node:fs';
import { join } from 'node:path';

const [library, directory, httpPort, tcpPort, ...further] = process.argv.slice(2);
if (library === undefined || directory === undefined || httpPort === undefined || tcpPort === undefined) {
  console.error('usage: clickhouse-engine.ts <library> <directory> <http port> <tcp port> [arguments …]');
  process.exit(64);
}

const portsFile = join(directory, 'ports.json');
rmSync(portsFile, { force: true });
const quoted = portsFile.replaceAll("'", "''");
const query = `
SYSTEM START LISTEN HTTP;
SYSTEM START LISTEN TCP;
SELECT getServerPort('http_port') AS http, getServerPort('tcp_port') AS tcp, ${process.pid} AS pid
INTO OUTFILE '${quoted}' TRUNCATE FORMAT JSONEachRow;
SELECT * FROM file('stdin', 'LineAsString', 'line String') FORMAT Null`;

const { symbols } = dlopen(library, {
  chdb_query_cmdline: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.ptr },
  chdb_result_error: { args: [FFIType.ptr], returns: FFIType.cstring },
});

const words = [
  'clickhouse-local',
  '--path',
  join(directory, 'store'),
  '--listen_host',
  '127.0.0.1',
  '--http_port',
  httpPort,
  '--tcp_port',
  tcpPort,
  ...further,
  '--query',
  query,
];
const buffers = words.map((word) => Buffer.from(`${word}\0`));
const argv = new BigUint64Array([...buffers.map((buffer) => BigInt(ptr(buffer))), 0n]);
const result = symbols.chdb_query_cmdline(words.length, ptr(argv));
const error = result === null ? '' : String(symbols.chdb_result_error(result) ?? '');
rmSync(portsFile, { force: true });
if (error !== '' && error !== 'null') {
  console.error(error);
  process.exit(1);
}
process.exit(0);
