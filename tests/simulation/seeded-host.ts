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

  const remove = (path: string): void => {
    const node = nodes.get(path);
    if (node === undefined) return;
    for (const child of [...node.children]) remove(child);
    node.stopped = true;
    node.mailbox.length = 0;
    nodes.delete(path);
    if (node.parent !== null) nodes.get(node.parent)?.children.delete(path);
  };

  const step = (): boolean => runOne(nodes, draw);

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
          node.mailbox.push(() => run(message));
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
    step,
    settle(stepsMax) {
      let steps = 0;
      while (steps < stepsMax && step()) steps += 1;
      return steps;
    },
  };
}

function runOne(nodes: ReadonlyMap<string, Node>, draw: () => number): boolean {
  const busy = [...nodes.values()].filter((node) => node.mailbox.length > 0);
  busy[Math.floor(draw() * busy.length)]?.mailbox.shift()?.();
  return busy.length > 0;
}
