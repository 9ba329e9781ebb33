// What every host must do, whoever schedules: order per sender, one handler at a time, crash stops the actor
// and nothing else, stop goes leaves first, and a message to a stopped actor changes nothing.

import { expect, test } from 'bun:test';
import type { Behaviour } from '../../actors/behaviour.ts';
import type { Address, Host } from '../../runtime/host.ts';

interface Harness {
  readonly name: string;
  open(): { readonly host: Host; settle(): Promise<void> };
}

const collecting: Behaviour<readonly number[], number, readonly number[]> = (state, message) => {
  if (message < 0) throw new Error(`poison ${message}`);
  const next = [...state, message];
  return { state: next, effects: [next] };
};

export function hostConformance(harness: Harness): void {
  const collector = (host: Host, name: string, parent: Address<never> | null) => {
    const seen: { last: readonly number[]; crashes: string[] } = { last: [], crashes: [] };
    const address = host.spawn({
      name,
      parent,
      initial: [],
      behaviour: collecting,
      perform: (effect: readonly number[]) => {
        seen.last = effect;
      },
      crashed: (error) => seen.crashes.push(error instanceof Error ? error.message : String(error)),
    });
    return { address, seen };
  };

  test(`${harness.name}: messages of one sender arrive in order, state carries over`, async () => {
    const { host, settle } = harness.open();
    const { address, seen } = collector(host, 'a', null);
    for (let n = 0; n < 50; n += 1) address.tell(n);
    await settle();
    expect(seen.last).toEqual(Array.from({ length: 50 }, (_, n) => n));
  });

  test(`${harness.name}: a crash stops that actor, drops its queue and touches no sibling`, async () => {
    const { host, settle } = harness.open();
    const parent = collector(host, 'parent', null);
    const bad = collector(host, 'bad', parent.address);
    const good = collector(host, 'good', parent.address);
    for (const n of [1, 2, -1, 3, 4]) bad.address.tell(n);
    for (const n of [1, 2, 3]) good.address.tell(n);
    await settle();
    expect(bad.seen.last).toEqual([1, 2]);
    expect(bad.seen.crashes).toEqual(['poison -1']);
    expect(good.seen.last).toEqual([1, 2, 3]);
    expect(host.size()).toBe(2);
    parent.address.tell(7);
    await settle();
    expect(parent.seen.last).toEqual([7]);
  });

  test(`${harness.name}: a name is free after a crash, and its new actor starts anew`, async () => {
    const { host, settle } = harness.open();
    const parent = collector(host, 'parent', null);
    const first = collector(host, 'child', parent.address);
    for (const n of [1, -1]) first.address.tell(n);
    await settle();
    const second = collector(host, 'child', parent.address);
    second.address.tell(9);
    first.address.tell(5);
    await settle();
    expect(second.seen.last).toEqual([9]);
    expect(first.seen.last).toEqual([1]);
  });

  test(`${harness.name}: stop takes all below, and messages to the stopped do nothing`, async () => {
    const { host, settle } = harness.open();
    const root = collector(host, 'root', null);
    const middle = collector(host, 'middle', root.address);
    const leaf = collector(host, 'leaf', middle.address);
    leaf.address.tell(1);
    await settle();
    host.stop(middle.address);
    leaf.address.tell(2);
    middle.address.tell(2);
    await settle();
    expect(leaf.seen.last).toEqual([1]);
    expect(middle.seen.last).toEqual([]);
    expect(host.size()).toBe(1);
  });

  test(`${harness.name}: an actor may be spawned anew while its crash is being told`, async () => {
    const { host, settle } = harness.open();
    const parent = collector(host, 'parent', null);
    const born: ReturnType<typeof collector>[] = [];
    const mortal = host.spawn({
      name: 'child',
      parent: parent.address,
      initial: [],
      behaviour: collecting,
      perform: () => {},
      crashed: () => {
        const again = collector(host, 'child', parent.address);
        again.address.tell(6);
        born.push(again);
      },
    });
    for (const n of [1, -1, 2]) mortal.tell(n);
    await settle();
    mortal.tell(3);
    for (const { address } of born) address.tell(7);
    await settle();
    expect(born.map((each) => each.seen.last)).toEqual([[6, 7]]);
    expect(host.size()).toBe(2);
  });

  test(`${harness.name}: what waits in a mailbox at the stop is not handled`, async () => {
    const { host, settle } = harness.open();
    const { address, seen } = collector(host, 'a', null);
    for (const n of [1, 2, 3]) address.tell(n);
    host.stop(address);
    await settle();
    expect(seen.last).toEqual([]);
    expect(host.size()).toBe(0);
  });

  test(`${harness.name}: stopping a stopped actor leaves its successor alone`, async () => {
    const { host, settle } = harness.open();
    const first = collector(host, 'a', null);
    host.stop(first.address);
    const second = collector(host, 'a', null);
    host.stop(first.address);
    second.address.tell(4);
    await settle();
    expect(second.seen.last).toEqual([4]);
  });

  test(`${harness.name}: any printable name is allowed, and the path keeps it as it is`, () => {
    const { host } = harness.open();
    const parent = collector(host, 'markets', null);
    const odd = collector(host, "CAISO:DAM:A B/C%~é'", parent.address);
    expect(odd.address.path).toBe("markets/CAISO:DAM:A B/C%~é'");
  });

  test(`${harness.name}: a thousand children run beside each other`, async () => {
    const { host, settle } = harness.open();
    const parent = collector(host, 'parent', null);
    const children = Array.from({ length: 1_000 }, (_, n) => collector(host, `c${n}`, parent.address));
    for (const [n, child] of children.entries()) child.address.tell(n);
    await settle();
    expect(children.every((child, n) => child.seen.last[0] === n)).toBe(true);
  });
}
