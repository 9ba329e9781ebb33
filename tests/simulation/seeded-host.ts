// A host whose scheduler is a seed: which mailbox runs next is drawn from it, so a run can be replayed
// exactly. It carries the same behaviours as nact and is held to the same conformance suite.

import type { ActorSpec, Address, Host } from '../../runtime/host.ts';

interface Node {
  readonly path: string;
  readonly parent: string | null;
  readonly children: Set<string>;
  readonly mailbox: (() => void)[];
  stopped: boolean;
}

export interface SeededHost extends Host {
  /** Runs one message; false when every mailbox is empty. */
  step(): boolean;
  /** Runs until every mailbox is empty, at most `stepsMax`. Returns the steps taken. */
  settle(stepsMax: number): number;
  /** Most messages that waited in one mailbox at any time. */
  mailboxMost(): number;
}

/** mulberry32: a small generator that is good enough to pick mailboxes. */
export function seededDraw(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** `crashes` says of an actor's path whether it crashes now, outside of its behaviour. */
export function seededHost(seed: number, crashes: (path: string) => boolean = () => false): SeededHost {
  const draw = seededDraw(seed);
  const nodes = new Map<string, Node>();
  const nodeOf = new WeakMap<Address<never>, Node>();
  let mailboxMost = 0;

  const busy = new Busy(draw);

  const remove = (path: string): void => {
    const node = nodes.get(path);
    if (node === undefined) return;
    for (const child of [...node.children]) remove(child);
    node.stopped = true;
    busy.empty(node);
    nodes.delete(path);
    if (node.parent !== null) nodes.get(node.parent)?.children.delete(path);
  };

  return {
    spawn<State, Message, Effect>(spec: ActorSpec<State, Message, Effect>): Address<Message> {
      const parent = spec.parent === null ? null : nodes.get(spec.parent.path);
      if (parent === undefined) throw new Error(`${spec.name} has no living parent`);
      const path = parent === null ? spec.name : `${parent.path}/${spec.name}`;
      if (nodes.has(path)) throw new Error(`${path} exists`);
      const node: Node = {
        path,
        parent: parent?.path ?? null,
        children: new Set(),
        mailbox: [],
        stopped: false,
      };
      let state = spec.initial;
      const run = (message: Message): void => {
        try {
          if (crashes(path)) throw new Error('simulated crash');
          const next = spec.behaviour(state, message);
          state = next.state;
          for (const effect of next.effects) spec.perform(effect, address);
        } catch (error) {
          remove(path);
          spec.crashed(error);
        }
      };
      const address: Address<Message> = {
        path,
        tell: (message) => {
          if (node.stopped) return;
          busy.push(node, () => run(message));
          mailboxMost = Math.max(mailboxMost, node.mailbox.length);
        },
      };
      nodeOf.set(address, node);
      nodes.set(path, node);
      parent?.children.add(path);
      return address;
    },
    stop(address) {
      if (nodeOf.get(address)?.stopped === false) remove(address.path);
    },
    size: () => nodes.size,
    mailboxMost: () => mailboxMost,
    step: () => busy.step(),
    settle(stepsMax) {
      let steps = 0;
      while (steps < stepsMax && busy.step()) steps += 1;
      return steps;
    },
  };
}

/** Actors that have something to do, in the order in which they got it. */
class Busy {
  readonly #nodes: Node[] = [];
  readonly #draw: () => number;

  constructor(draw: () => number) {
    this.#draw = draw;
  }

  push(node: Node, work: () => void): void {
    if (node.mailbox.push(work) === 1) this.#nodes.push(node);
  }

  empty(node: Node): void {
    if (node.mailbox.length > 0) this.#nodes.splice(this.#nodes.indexOf(node), 1);
    node.mailbox.length = 0;
  }

  /** One message of one of them. */
  step(): boolean {
    const node = this.#nodes[Math.floor(this.#draw() * this.#nodes.length)];
    if (node === undefined) return false;
    const work = node.mailbox.shift();
    if (node.mailbox.length === 0) this.#nodes.splice(this.#nodes.indexOf(node), 1);
    work?.();
    return true;
  }
}
