// Containers of an image where there is no Docker engine: buildah makes them, and starts processes in them as
// a user without capabilities (chroot isolation, which shares the network and the processes of the machine).
// What it cannot do: a root that is read-only, no-new-privileges, an init, restarts.

import { existsSync, readdirSync, readFileSync } from 'node:fs';

export interface Store {
  /** Where images and containers are, and what buildah keeps while it runs. */
  readonly root: string;
  readonly runRoot: string;
}

/** Of an image, as its Dockerfile has it. */
export interface ImageConfig {
  readonly Entrypoint: readonly string[];
  readonly Healthcheck: { readonly Test: readonly string[] };
}

export interface RunWish {
  readonly user: string;
  readonly env: Readonly<Record<string, string>>;
  readonly tmpfs: readonly string[];
  readonly dropped: readonly string[];
  /** Files of the machine by their place in the container, where they cannot be written. */
  readonly files: Readonly<Record<string, string>>;
}

function words({ root, runRoot }: Store, ...more: readonly string[]): string[] {
  return ['buildah', '--storage-driver', 'vfs', '--root', root, '--runroot', runRoot, ...more];
}

async function said(command: readonly string[]): Promise<string> {
  const child = Bun.spawn([...command], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, errors] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (child.exitCode !== 0) throw new Error(`${command.join(' ')}: ${errors}`);
  return out.trim();
}

export async function configOf(store: Store, image: string): Promise<ImageConfig> {
  const { Docker }: { Docker: { config: ImageConfig } } = JSON.parse(
    await said(words(store, 'inspect', '--type', 'image', image)),
  );
  return Docker.config;
}

export class Container {
  readonly #store: Store;
  readonly #id: string;

  private constructor(store: Store, id: string) {
    this.#store = store;
    this.#id = id;
  }

  /** `hosts`: names that lead to this machine. */
  static async from(store: Store, image: string, hosts: readonly string[]): Promise<Container> {
    const named = hosts.flatMap((host) => ['--add-host', `${host}:127.0.0.1`]);
    return new Container(store, await said(words(store, 'from', '--pull-never', ...named, image)));
  }

  /** The command line that runs `program` inside. */
  command({ user, env, tmpfs, dropped, files }: RunWish, program: readonly string[]): string[] {
    const options = [
      ...['--isolation', 'chroot', '--user', user],
      ...dropped.flatMap((each) => ['--cap-drop', each]),
      ...tmpfs.flatMap((place) => ['--mount', `type=tmpfs,destination=${place},tmpfs-mode=1777`]),
      ...Object.entries(files).flatMap(([place, file]) => ['--volume', `${file}:${place}:ro`]),
      ...Object.entries(env).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
    ];
    return words(this.#store, 'run', ...options, this.#id, '--', ...program);
  }

  /** Files of a user in its root, where Docker would let nobody write; volumes stand elsewhere. */
  async written(uid: string): Promise<string[]> {
    const root = await said(words(this.#store, 'mount', this.#id));
    const found = await said(['find', root, '-xdev', '-type', 'f', '-uid', uid]);
    await said(words(this.#store, 'umount', this.#id));
    return found.split('\n').filter((each) => each !== '');
  }

  async remove(): Promise<void> {
    await said(words(this.#store, 'rm', this.#id));
  }
}

/**
 * The program's own process, which buildah has started below its own; buildah would pass no signal on to it,
 * and may leave it running when it ends itself.
 */
export function programOf(pid: number): number {
  const at = `/proc/${pid}`;
  if (!existsSync(at) || !readFileSync(`${at}/cmdline`, 'utf8').startsWith('buildah')) return pid;
  // A process started by any of its threads is a child of that thread.
  const children = readdirSync(`${at}/task`).flatMap((thread) =>
    readFileSync(`${at}/task/${thread}/children`, 'utf8').trim().split(' '),
  );
  const child = Number(children.find((each) => each !== ''));
  return child > 0 ? programOf(child) : pid;
}
