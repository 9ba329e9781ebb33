// The shell of an operator: lines of the runbook are typed as they stand there, with a folder first on PATH
// where the machine of a test lacks a binary or a host of that name (rule 8 of the runbook). What stands in:
// the stock Kafka tools from the broker's jars, a clickhouse-client that posts its query over HTTP, curl and
// redis-cli that are led to the ports of the test, and recorders of kubectl and docker-compose.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

export interface Typed {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Where the hosts of the runbook are in the test. */
export interface Hosts {
  /** Directory of the broker's jars, and its address. */
  readonly jars: string;
  readonly kafka: string;
  readonly clickhousePort: number;
  readonly redisPort: number;
  /** Port of the test by that of the runbook, on localhost. */
  readonly services: ReadonlyMap<number, number>;
}

const JVM = '-Xmx192m -Xshare:auto -XX:+UseSerialGC -XX:TieredStopAtLevel=1';
const QUIET = '-Dorg.slf4j.simpleLogger.defaultLogLevel=error';
const TOOLS = {
  'kafka-consumer-groups': 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand',
  'kafka-topics': 'org.apache.kafka.tools.TopicCommand',
} as const;
const RECORDED = ['kubectl', 'docker-compose'] as const;

function real(name: string): string {
  const found = Bun.which(name);
  if (found === null) throw new Error(`${name} is not installed`);
  return found;
}

/** Every word `kafka:9092` becomes the broker of the test; the others stay. */
function kafkaTool(main: string, { jars, kafka }: Hosts): string {
  return `n=$#
while [ "$n" -gt 0 ]; do
  word=$1; shift; n=$((n-1))
  [ "$word" = kafka:9092 ] && word=${kafka}
  set -- "$@" "$word"
done
exec ${real('java')} ${JVM} ${QUIET} -cp '${join(jars, '*')}' ${main} "$@"`;
}

function clickhouseClient({ clickhousePort }: Hosts): string {
  const url = `http://127.0.0.1:${clickhousePort}/?wait_end_of_query=1`;
  return `case $1 in
  --query=*) query=\${1#--query=} ;;
  --query) query=$2 ;;
  *) echo "clickhouse-client: this one only knows --query" >&2; exit 64 ;;
esac
exec ${real('curl')} -sS --fail-with-body --data-binary "$query" '${url}'`;
}

function curl({ clickhousePort, services }: Hosts): string {
  const led = [...services].map(([from, to]) => `--connect-to localhost:${from}:127.0.0.1:${to}`);
  led.push(`--connect-to clickhouse:8123:127.0.0.1:${clickhousePort}`);
  return `exec ${real('curl')} ${led.join(' ')} "$@"`;
}

export class Workstation implements Disposable {
  readonly #dir = mkdtempSync(join(tmpdir(), 'carbon-workstation-'));
  readonly #told = join(this.#dir, 'told');

  constructor(hosts: Hosts) {
    writeFileSync(this.#told, '');
    for (const [name, main] of Object.entries(TOOLS)) this.#stand(name, kafkaTool(main, hosts));
    this.#stand('clickhouse-client', clickhouseClient(hosts));
    this.#stand('curl', curl(hosts));
    this.#stand('redis-cli', `exec ${real('redis-cli')} -p ${hosts.redisPort} "$@"`);
    for (const name of RECORDED) this.#stand(name, `echo "${name} $*" >>'${this.#told}'`);
  }

  #stand(name: string, script: string): void {
    writeFileSync(join(this.#dir, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }

  /** Types a line, or several, into a shell, and reads what it says. */
  async type(line: string): Promise<Typed> {
    const env = { PATH: `${this.#dir}${delimiter}${process.env.PATH}`, HOME: process.env.HOME };
    const shell = Bun.spawn(['sh', '-c', line], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const [out, err, code] = await Promise.all([shell.stdout.text(), shell.stderr.text(), shell.exited]);
    return { code, out, err };
  }

  /** Types a line that must succeed; what it writes to standard output. */
  async says(line: string): Promise<string> {
    const { code, out, err } = await this.type(line);
    if (code !== 0) throw new Error(`${line}\nended with ${code}: ${out}${err}`);
    return out;
  }

  async json(line: string): Promise<Record<string, unknown>> {
    return JSON.parse(await this.says(line));
  }

  /** What the recorders were told, in order. */
  told(): string[] {
    return readFileSync(this.#told, 'utf8').split('\n').slice(0, -1);
  }

  [Symbol.dispose](): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
