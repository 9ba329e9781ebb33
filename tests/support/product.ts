// Starts the product as a user does, as a process of its own: free ports, its own data and log directory,
// standard output read line by line. What it says is the only thing believed: a port is known from the line
// that announces it. Whoever starts one ends it (`await using`), which also removes a directory made here.

import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { SERVICES } from '../../runtime/services.ts';
import type { ServiceName } from '../../runtime/views.ts';
import { until } from './until.ts';

/** Bounds for noisy machines; every wait ends as soon as its condition holds. */
const READY_MS_MAX = 240_000;
const SAMPLE_MS_MAX = 240_000;
const EXIT_MS_MAX = 240_000;

const root = resolve(import.meta.dir, '../..');

export type Line = Readonly<Record<string, unknown>>;

export interface ProductWish {
  /** Directory that holds `data` and `logs`; unset: a temporary one, removed at the end. */
  readonly dir?: string;
  /** Variables besides free ports and directories. */
  readonly env?: Readonly<Record<string, string>>;
  /** How else it is started, with an environment of its own; unset: by this Bun, from the source. */
  readonly otherwise?: OtherStart;
}

/** A command line that runs it, such as in a container. */
export interface OtherStart {
  readonly command: readonly string[];
  /** The product's own process, by that of the command line: signals go there. */
  pidOf(started: number): number;
}

/** A directory for a test, gone with it. */
export function temporaryDirectory(): { readonly path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), 'carbon-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Environment of a process of the product: the PATH and the like of this one, none of its settings. */
export function productEnvironment(dir: string, more: Readonly<Record<string, string>>) {
  const env: Record<string, string | undefined> = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    TMPDIR: process.env.TMPDIR,
    DATA_DIR: join(dir, 'data'),
    LOG_DIR: join(dir, 'logs'),
    CLICKHOUSE_HTTP_PORT: '0',
    CLICKHOUSE_TCP_PORT: '0',
  };
  for (const { name } of SERVICES) env[`PORT_${name.replaceAll('-', '_').toUpperCase()}`] = '0';
  return { ...env, ...more };
}

export class Product {
  readonly dir: string;
  /** Lines of standard output, each parsed; a line that is no JSON object fails `line` and `stop`. */
  readonly lines: Line[] = [];
  readonly #child: Bun.Subprocess<'ignore', 'pipe', 'pipe'>;
  readonly #pidOf: OtherStart['pidOf'] | null;
  readonly #temporary: boolean;
  readonly #broken: string[] = [];
  readonly #read: Promise<unknown>;
  #errors = '';

  constructor(wish: ProductWish) {
    this.#temporary = wish.dir === undefined;
    this.dir = wish.dir ?? mkdtempSync(join(tmpdir(), 'carbon-'));
    const { command = [process.execPath, 'runtime/main.ts'], pidOf = null } = wish.otherwise ?? {};
    const env = pidOf === null ? productEnvironment(this.dir, wish.env ?? {}) : process.env;
    this.#pidOf = pidOf;
    this.#child = Bun.spawn([...command], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#read = Promise.all([this.#readLines(), this.#readErrors()]);
  }

  get pid(): number {
    return this.#pidOf?.(this.#child.pid) ?? this.#child.pid;
  }

  get errors(): string {
    return this.#errors;
  }

  /** Address of a service's port. Throws when it was not announced. */
  url(service: ServiceName, path = '/'): string {
    const line = this.lines.find((each) => each.event === 'listening' && each.service === service);
    if (typeof line?.url !== 'string') throw new Error(`${service} is not listening`);
    return `${line.url}${path}`;
  }

  get(service: ServiceName, path: string, init?: RequestInit): Promise<Response> {
    return fetch(this.url(service, path), init);
  }

  async json(service: ServiceName, path: string): Promise<Record<string, unknown>> {
    const response = await this.get(service, path);
    return JSON.parse(await response.text());
  }

  /** The first line that `is`; throws with the last lines when it does not come, or the process ended. */
  async line(what: string, is: (line: Line) => boolean, boundMs = READY_MS_MAX): Promise<Line> {
    return until(
      what,
      () => {
        if (this.#broken.length > 0) throw new Error(`not a JSON line: ${this.#broken[0]}`);
        const found = this.lines.find(is);
        if (found === undefined && this.#child.exitCode !== null) throw new Error(this.#ended(what));
        return found;
      },
      boundMs,
    );
  }

  /** Every port answers with its full routes and state is restored. */
  ready(): Promise<Line> {
    return this.line('ready', (line) => line.event === 'ready');
  }

  /** The recorded sample is in ClickHouse, by this process or one before it. */
  sampleIn(): Promise<Line> {
    return this.line('the sample is in', (line) => line.event === 'sample_in', SAMPLE_MS_MAX);
  }

  signal(signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL'): void {
    if (this.#pidOf === null) this.#child.kill(signal);
    else if (this.#exitCode() === null) process.kill(this.pid, signal);
  }

  /** Resolves with the exit code, when everything it wrote was read. 128 + n for a signal. */
  async exited(): Promise<number> {
    const code = await until('the process ends', () => this.#exitCode(), EXIT_MS_MAX);
    await this.#read;
    return code.code;
  }

  async stop(): Promise<number> {
    this.signal('SIGTERM');
    const code = await this.exited();
    if (this.#broken.length > 0) throw new Error(`not a JSON line: ${this.#broken[0]}`);
    return code;
  }

  /** SIGKILL, as a crash. The engine ends with it. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.exited();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#exitCode() === null) await this.kill();
    if (this.#temporary) rmSync(this.dir, { recursive: true, force: true });
  }

  #exitCode(): { readonly code: number } | null {
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null) return { code: exitCode };
    return signalCode === null ? null : { code: signalCode === 'SIGKILL' ? 137 : 128 };
  }

  #ended(what: string): string {
    const last = this.lines.slice(-5).map((line) => JSON.stringify(line));
    return [`it ended with ${this.#child.exitCode} before: ${what}`, ...last, this.#errors].join('\n');
  }

  async #readLines(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of this.#child.stdout) {
      const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = parts.pop() ?? '';
      for (const part of parts) this.#line(part);
    }
    if (rest !== '') this.#line(rest);
  }

  #line(text: string): void {
    try {
      this.lines.push(JSON.parse(text));
    } catch {
      this.#broken.push(text);
    }
  }

  async #readErrors(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#child.stderr) this.#errors += decoder.decode(chunk, { stream: true });
  }
}

/** Starts the product and waits until it is ready. */
export async function startProduct(wish: ProductWish = {}): Promise<Product> {
  const product = new Product(wish);
  try {
    await product.ready();
    return product;
  } catch (error) {
    await product[Symbol.asyncDispose]();
    throw error;
  }
}

let sampled: Promise<string> | null = null;

/**
 * Copies into `dir` the data of a product that has taken in the sample and was stopped. The first call in a
 * test process makes it; it is removed when that process ends.
 */
export async function copySampledData(dir: string): Promise<void> {
  sampled ??= makeSampled();
  cpSync(await sampled, join(dir, 'data'), { recursive: true });
}

async function makeSampled(): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'carbon-sampled-'));
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
  const product = await startProduct({ dir });
  await product.sampleIn();
  const code = await product.stop();
  if (code !== 0) throw new Error(`the product with the sample ended with ${code}`);
  return join(dir, 'data');
}
