// Every service of docker-compose.yml that is of the product, each in a container of its own and as that file
// has it: its variables, user, capabilities and temporary places. Only ports are others, since the machine's
// own are shared, and HOST, so that they stay on loopback; the names of the servers lead to loopback.

import { ROLES, type Role } from '../../configs/environment.ts';
import { type ComposeService, composeServices, filledIn } from '../support/compose.ts';
import { freePorts } from '../support/free-ports.ts';
import { Product } from '../support/product.ts';
import { Container, configOf, type ImageConfig, programOf, type RunWish, type Store } from './buildah.ts';

/** The servers of docker-compose.yml: name and port of that file, and the port of this machine. */
export type Servers = Readonly<Record<string, number>>;

export interface DeploymentWish {
  readonly store: Store;
  readonly image: string;
  readonly dir: string;
  readonly servers: Servers;
  /** Mounted into a role's container. */
  readonly files: Partial<Record<Role, RunWish['files']>>;
}

const LINES_SHOWN = 5;

interface Part {
  readonly container: Container;
  readonly run: RunWish;
}

export class Deployment {
  readonly #wish: DeploymentWish;
  readonly #config: ImageConfig;
  readonly #parts: ReadonlyMap<Role, Part>;
  readonly #running = new Map<Role, Product>();

  private constructor(wish: DeploymentWish, config: ImageConfig, parts: ReadonlyMap<Role, Part>) {
    this.#wish = wish;
    this.#config = config;
    this.#parts = parts;
  }

  /** Containers, in which nothing runs yet. */
  static async open(wish: DeploymentWish): Promise<Deployment> {
    const { store, image, servers } = wish;
    const hosts = Object.keys(servers).map((address) => address.split(':')[0] ?? '');
    const ports = freePorts(ROLES.length);
    const parts = new Map<Role, Part>();
    for (const [n, role] of ROLES.entries()) {
      const container = await Container.from(store, image, hosts);
      parts.set(role, { container, run: runOf(role, wish, ports[n] ?? 0) });
    }
    return new Deployment(wish, await configOf(store, image), parts);
  }

  product(role: Role): Product {
    const found = this.#running.get(role);
    if (found === undefined) throw new Error(`${role} does not run`);
    return found;
  }

  /** By the image's own entry point. Resolves when it is ready. */
  async start(role: Role): Promise<void> {
    const { container, run } = this.#part(role);
    const command = container.command(run, this.#config.Entrypoint);
    const product = new Product({ dir: this.#wish.dir, otherwise: { command, pidOf: programOf } });
    this.#running.set(role, product);
    await product.ready();
  }

  /** The image's own health check, in the container. Null: it is content; else what it says. */
  async unwell(role: Role, more: Readonly<Record<string, string>> = {}): Promise<string | null> {
    const { container, run } = this.#part(role);
    const [, ...check] = this.#config.Healthcheck.Test;
    const command = container.command({ ...run, env: { ...run.env, ...more } }, check);
    const child = Bun.spawn(command, { stdio: ['ignore', 'pipe', 'pipe'] });
    const [out, errors, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    return code === 0 ? null : `${code}: ${out}${errors}`;
  }

  /** By SIGTERM; throws when it does not leave in order, or has written where it may not. */
  async stop(role: Role): Promise<void> {
    const product = this.product(role);
    const code = await product.stop();
    this.#running.delete(role);
    if (code !== 0) {
      const last = product.lines.slice(-LINES_SHOWN).map((line) => JSON.stringify(line));
      throw new Error([`${role} left with ${code}`, ...last, product.errors].join('\n'));
    }
    const { container, run } = this.#part(role);
    const written = await container.written(run.user.split(':')[0] ?? '');
    if (written.length > 0) throw new Error(`${role} wrote into its root: ${written.join(', ')}`);
  }

  async close(): Promise<void> {
    for (const product of this.#running.values()) await product[Symbol.asyncDispose]();
    for (const { container } of this.#parts.values()) await container.remove();
  }

  #part(role: Role): Part {
    const found = this.#parts.get(role);
    if (found === undefined) throw new Error(`no container of ${role}`);
    return found;
  }
}

export const portVariable = (role: Role): string => `PORT_${role.replaceAll('-', '_').toUpperCase()}`;

function runOf(role: Role, { servers, files }: DeploymentWish, port: number): RunWish {
  const service: ComposeService | undefined = composeServices()[role];
  if (service?.user === undefined) throw new Error(`docker-compose.yml has no ${role} with a user`);
  const env = Object.entries(filledIn(service)).map(([name, value]) => [name, here(value, servers)]);
  return {
    user: service.user,
    env: { ...Object.fromEntries(env), HOST: '127.0.0.1', [portVariable(role)]: String(port) },
    tmpfs: service.tmpfs ?? [],
    dropped: service.cap_drop ?? [],
    files: files[role] ?? {},
  };
}

/** `redis://redis:6379` with the port that Redis has here. */
function here(value: string, servers: Servers): string {
  let text = value;
  for (const [address, port] of Object.entries(servers)) {
    text = text.replaceAll(address, `${address.split(':')[0]}:${port}`);
  }
  return text;
}
