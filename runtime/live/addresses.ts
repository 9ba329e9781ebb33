// Which addresses belong to the public internet. A name that resolves to anything else (this machine, a
// private network, a link, a cloud's metadata) is not fetched unless the configuration says so.

import { isIP } from 'node:net';

/** [network, bits] that are not public; IPv4 as numbers. */
const PRIVATE_4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];

function number4(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function isPublic4(address: string): boolean {
  const of = number4(address);
  return !PRIVATE_4.some(([network, bits]) => {
    const size = 2 ** (32 - bits);
    return Math.floor(of / size) === Math.floor(number4(network) / size);
  });
}

/** The eight groups of an IPv6 address. */
function groups6(address: string): readonly number[] {
  const [plain = ''] = address.split('%');
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(plain);
  const four = dotted === null ? null : number4(dotted[2] ?? '');
  const text =
    four === null
      ? plain
      : `${dotted?.[1]}${Math.floor(four / 65_536).toString(16)}:${(four % 65_536).toString(16)}`;
  const [head = '', tail] = text.split('::');
  const part = (of: string) => (of === '' ? [] : of.split(':').map((group) => Number.parseInt(group, 16)));
  const before = part(head);
  const after = tail === undefined ? [] : part(tail);
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length;
  return [...before, ...Array.from({ length: Math.max(0, zeros) }, () => 0), ...after];
}

/** Global unicast is 2000::/3; what embeds an IPv4 address is judged by that. */
function isPublic6(address: string): boolean {
  const groups = groups6(address);
  const [first = 0, second = 0, third = 0] = groups;
  const four = (high: number, low: number) => [high >> 8, high & 255, low >> 8, low & 255].join('.');
  const leadingZeros = groups.slice(0, 5).every((group) => group === 0);
  if (leadingZeros && groups[5] === 0xffff) return isPublic4(four(groups[6] ?? 0, groups[7] ?? 0));
  if (first === 0x64 && second === 0xff9b) return isPublic4(four(groups[6] ?? 0, groups[7] ?? 0));
  if (first === 0x2002) return isPublic4(four(second, third));
  if (first === 0x2001 && (second === 0x0db8 || second < 0x0200)) return false;
  return first >= 0x2000 && first < 0x4000;
}

/** False for what is no address at all. */
export function isPublicAddress(address: string): boolean {
  const kind = isIP(address.split('%')[0] ?? '');
  return kind === 4 ? isPublic4(address) : kind === 6 ? isPublic6(address) : false;
}
