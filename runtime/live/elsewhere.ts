// Where to ask about a connector that this process does not follow: who holds its name says so on the log,
// with its address. A log of one process knows of no other.

import type { Clock } from '../host.ts';
import type { Log } from '../log/log.ts';
import { writerOf } from '../raw-outputs.ts';
import type { Refused } from '../views.ts';
import type { Connectors } from './connectors.ts';
import { GONE_MS, nameOf } from './hold.ts';
import { type Holder, readHolder } from './store.ts';

export interface ElsewhereParts {
  readonly of: Connectors;
  readonly log: Pick<Log, 'take' | 'writerState'>;
  readonly clock: Clock;
  /** Of connectors.yaml: the market of each connector. */
  readonly configured: ReadonlyMap<string, string>;
}

export class Elsewhere {
  readonly #parts: ElsewhereParts;

  constructor(parts: ElsewhereParts) {
    this.#parts = parts;
  }

  /** Null: it is followed here, or by nobody. */
  async connector(name: string): Promise<Refused | null> {
    const { of, configured } = this.#parts;
    const here = of.find(name);
    if (here?.hold.held === true) return null;
    if (here === null && !configured.has(name)) return null;
    const holder = here?.hold.other ?? (await this.#holder(name));
    if (holder !== null) return this.#refused([[name, holder]]);
    return here === null ? null : STARTING;
  }

  /** Null: some connector of the market is followed here, or none anywhere. */
  async market(market: string): Promise<Refused | null> {
    const { of, configured } = this.#parts;
    if (of.all.some(({ plan, hold }) => plan.market.market === market && hold.held)) return null;
    return this.#first([...configured.keys()].filter((name) => configured.get(name) === market));
  }

  /** Null: some connector is followed here, or none anywhere. */
  async all(): Promise<Refused | null> {
    const { of, configured } = this.#parts;
    if (of.all.some(({ hold }) => hold.held)) return null;
    return this.#first([...configured.keys()]);
  }

  async #first(names: readonly string[]): Promise<Refused | null> {
    const found: (readonly [string, Holder])[] = [];
    for (const name of names) {
      const holder = this.#parts.of.find(name)?.hold.other ?? (await this.#holder(name));
      if (holder !== null) found.push([name, holder]);
    }
    if (found.length > 0) return this.#refused(found);
    return names.some((name) => this.#parts.of.find(name) !== null) ? STARTING : null;
  }

  async #holder(name: string): Promise<Holder | null> {
    const { log } = this.#parts;
    return log.take === undefined ? null : readHolder(await log.writerState(writerOf(name)));
  }

  #refused(found: readonly (readonly [name: string, holder: Holder])[]): Refused {
    const nowMs = this.#parts.clock.nowMs();
    const said = found.map(([name, holder]) => {
      const isSilent = nowMs - holder.seenMs > GONE_MS;
      const silent = isSilent ? `, not heard of since ${new Date(holder.seenMs).toISOString()}` : '';
      return `${name} is followed by ${nameOf(holder)}${silent}`;
    });
    const urls = new Set(found.flatMap(([, { url }]) => url ?? []));
    return { refused: 'elsewhere', message: `not here: ${said.join('; ')}: ask there`, known: [...urls] };
  }
}

const STARTING: Refused = {
  refused: 'starting',
  message: 'what the log remembers is being read: ask again in a second',
  known: [],
};
