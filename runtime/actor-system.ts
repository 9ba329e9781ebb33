// The only import of nact. It is used for what it is good at (mailboxes, one handler at a time, the tree) and
// kept from what it is not: `reset` and `resume` are never answered, a crash stops the actor, and stopping
// goes leaves first because nact forgets descendants (design §7).

import { dispatch, type Ref, spawn, start, stop } from 'nact';
import type { ActorSpec, Address, Host } from './host.ts';

interface Node {
  readonly ref: Ref<unknown>;
  readonly path: string;
  readonly parent: string | null;
  readonly children: Set<string>;
  stopped: boolean;
}

/** nact allows few characters in a name; the others are written as `$` and their code. */
function nactName(name: string): string {
  return name.replace(/[^a-zA-Z0-9\-_.+!*'(),]/g, (char) => `$${char.charCodeAt(0).toString(16)}`);
}

/** A host on nact. One system; a second one in a process is independent. */
export function nactHost(): Host {
  const system = start();
  const nodes = new Map<string, Node>();
  const nodeOf = new WeakMap<Address<never>, Node>();

  const remove = (path: string): void => {
    const node = nodes.get(path);
    if (node === undefined) return;
    for (const child of [...node.children]) remove(child);
    node.stopped = true;
    nodes.delete(path);
    if (node.parent !== null) nodes.get(node.parent)?.children.delete(path);
    stop(node.ref);
  };

  return {
    spawn<State, Message, Effect>(spec: ActorSpec<State, Message, Effect>): Address<Message> {
      const parent = spec.parent === null ? null : nodes.get(spec.parent.path);
      if (parent === undefined) throw new Error(`${spec.name} has no living parent`);
      const path = parent === null ? spec.name : `${parent.path}/${spec.name}`;
      const handle = (state: State, message: Message): State => {
        const step = spec.behaviour(state, message);
        for (const effect of step.effects) spec.perform(effect, address);
        return step.state;
      };
      const ref = spawn(parent?.ref ?? system, handle, nactName(spec.name), {
        initialState: spec.initial,
        onCrash: (_message, error, context) => {
          remove(path);
          spec.crashed(error);
          return context.stop;
        },
      });
      const node: Node = { ref, path, parent: parent?.path ?? null, children: new Set(), stopped: false };
      const address: Address<Message> = {
        path,
        tell: (message) => {
          if (!node.stopped) dispatch(ref, message);
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
  };
}
