// Other processes of the product on Kafka, which come and go while a test goes on: they join with some
// workers, leave in order, are killed, and stand still past their session to come back as zombies. Which of
// them, and what, is drawn by the test.

import { join } from 'node:path';

const MEMBERS_MAX = 4;
/** Longer than the session of a member. */
const PAUSE_MS = 12_000;

interface Child {
  readonly process: Bun.Subprocess<'ignore', 'pipe', 'inherit'>;
  readonly name: string;
}

export interface OthersWish {
  readonly brokers: string;
  readonly clickhouseUrl: string;
  /** Directory of theirs, each in one of its own. */
  readonly dir: string;
  /** In [0, 1). */
  readonly draw: () => number;
  /** Variables besides. */
  readonly env?: Readonly<Record<string, string>>;
  readonly pauseMs?: number;
}

export class Others {
  readonly living: Child[] = [];
  readonly done = { joins: 0, leaves: 0, kills: 0, pauses: 0 };
  readonly #wish: OthersWish;
  #count = 0;

  constructor(wish: OthersWish) {
    this.#wish = wish;
  }

  /**
   * Resolves when the process has begun. `market`: it feeds what stands there, too; `name`: it is who had
   * that name before.
   */
  async join(workers: number, market = '', name = `m${this.#count + 1}`): Promise<void> {
    this.#count += 1;
    const { brokers, clickhouseUrl, dir, env } = this.#wish;
    const program = join(import.meta.dir, 'kafka-threads.ts');
    const words = [program, brokers, clickhouseUrl, join(dir, name), String(workers), market];
    const child = Bun.spawn([process.execPath, ...words], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    });
    this.living.push({ process: child, name });
    let said = '';
    for await (const chunk of child.stdout) {
      said += new TextDecoder().decode(chunk);
      if (said.includes('running')) break;
    }
    if (!said.includes('running')) throw new Error(`${name} did not begin, but said '${said}'`);
    this.done.joins += 1;
  }

  async leave(): Promise<void> {
    const child = this.#take();
    child?.process.kill('SIGTERM');
    const code = await child?.process.exited;
    if (code !== 0) throw new Error(`${child?.name} left with ${code}`);
    this.done.leaves += 1;
  }

  async kill(): Promise<void> {
    const child = this.#take();
    child?.process.kill('SIGKILL');
    await child?.process.exited;
    this.done.kills += 1;
  }

  async pause(meanwhile = async () => {}): Promise<void> {
    const child = this.living[Math.floor(this.#wish.draw() * this.living.length)];
    child?.process.kill('SIGSTOP');
    await Promise.all([Bun.sleep(this.#wish.pauseMs ?? PAUSE_MS), meanwhile()]);
    child?.process.kill('SIGCONT');
    this.done.pauses += 1;
  }

  async change(): Promise<void> {
    const { length } = this.living;
    const { draw } = this.#wish;
    const drawn = draw();
    if (length === 0 || (length < MEMBERS_MAX && drawn < 0.4)) return this.join(1 + Math.floor(draw() * 3));
    if (drawn < 0.6) return this.leave();
    return drawn < 0.8 ? this.kill() : this.pause();
  }

  async end(): Promise<void> {
    while (this.living.length > 0) await this.leave();
  }

  async stop(): Promise<void> {
    for (const { process: child } of this.living.splice(0)) {
      child.kill('SIGKILL');
      await child.exited;
    }
  }

  #take(): Child | undefined {
    return this.living.splice(Math.floor(this.#wish.draw() * this.living.length), 1)[0];
  }
}
