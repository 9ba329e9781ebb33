// The tree below `markets`: a node for each market, and below it shards of a bounded number of children,
// since each message of a parent costs what it has children.

import { type Address, branch, type Host } from './host.ts';

export interface Shard {
  readonly address: Address<never>;
  /** Ids of the instruments whose actors live in it. */
  readonly residents: Set<string>;
}

interface MarketNode {
  readonly address: Address<never>;
  readonly shards: Shard[];
}

export class Shards {
  readonly #host: Host;
  readonly #childrenMax: number;
  readonly #root: Address<never>;
  readonly #markets = new Map<string, MarketNode>();

  constructor(host: Host, childrenMax: number) {
    this.#host = host;
    this.#childrenMax = childrenMax;
    this.#root = host.spawn({ ...branch, name: 'markets', parent: null });
  }

  /** Of a market in order. */
  of(market: string): readonly Shard[] {
    return this.#markets.get(market)?.shards ?? [];
  }

  /** By its path, such as `markets/CAISO/00`. */
  find(path: string): Shard | undefined {
    const [, market = ''] = path.split('/');
    return this.of(market).find((each) => each.address.path === path);
  }

  /** One with room for another child. */
  open(market: string): Shard {
    const node = this.#node(market);
    const open = node.shards.find((each) => each.residents.size < this.#childrenMax);
    if (open !== undefined) return open;
    const name = String(node.shards.length).padStart(2, '0');
    const address = this.#host.spawn({ ...branch, name, parent: node.address });
    const made: Shard = { address, residents: new Set() };
    node.shards.push(made);
    return made;
  }

  #node(market: string): MarketNode {
    const found = this.#markets.get(market);
    if (found !== undefined) return found;
    const address = this.#host.spawn({ ...branch, name: market, parent: this.#root });
    const made: MarketNode = { address, shards: [] };
    this.#markets.set(market, made);
    return made;
  }
}
