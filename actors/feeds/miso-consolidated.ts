// MISO's consolidated table: of the hubs and interfaces the newest five minutes, the last whole hour, and the
// hour under way as the day-ahead market has it, ex-ante and ex-post. Four runs in one response; each block
// says by `HourAndMin` which interval it is.
//
// Not tried live, and there is no recording of it: shape and labels are those that clients of it read.

import type { Parsed } from './feed.ts';
import { type Joiner, refusedResponse } from './joiner.ts';
import { field, show, textOf } from './json.ts';
import { checkEnergy } from './miso-energy.ts';
import { fiveMinutes, hourOf, refInstant } from './miso-reference.ts';
import type { Span } from './source.ts';

interface Block {
  readonly name: string;
  readonly run: string;
  readonly interval: (label: string, refMs: number) => Span | null;
}

const BLOCKS: readonly Block[] = [
  { name: 'FiveMinLMP', run: 'RT5_EXPOST', interval: fiveMinutes },
  {
    name: 'HourlyIntegratedLMP',
    run: 'RT_PRELIM',
    interval: (label, refMs) => hourOf(label, refMs, 'over'),
  },
  {
    name: 'DayAheadExAnteLMP',
    run: 'DA_EXANTE',
    interval: (label, refMs) => hourOf(label, refMs, 'begun'),
  },
  {
    name: 'DayAheadExPostLMP',
    run: 'DA_EXPOST',
    interval: (label, refMs) => hourOf(label, refMs, 'begun'),
  },
];
const COMPONENTS = ['LMP', 'MLC', 'MCC'];

export function readConsolidated(joiner: Joiner, table: unknown): Parsed {
  const refMs = refInstant(field(table, 'RefId'));
  const blocks = BLOCKS.filter(({ name }) => Array.isArray(field(field(table, name), 'PricingNode')));
  if (refMs === null || blocks.length === 0) {
    const detail =
      "the consolidated table has a RefId such as '02-Oct-2026 - Interval 16:50 EST' and lists PricingNode";
    return refusedResponse({ reason: 'unknown_format', detail });
  }
  for (const block of blocks) readBlock(joiner, block, field(table, block.name), refMs);
  checkEnergy(joiner);
  return joiner.finish(refMs);
}

function readBlock(joiner: Joiner, { name, run, interval }: Block, of: unknown, refMs: number): void {
  const label = textOf(field(of, 'HourAndMin'));
  const span = interval(label, refMs);
  const nodes = field(of, 'PricingNode');
  for (const node of Array.isArray(nodes) ? nodes : []) {
    const row = joiner.nextRow();
    const original = (): string => show(node);
    const location = textOf(field(node, 'name'));
    if (span === null || location === '') {
      const detail = `${name} has HourAndMin '${label.slice(0, 40)}'; a node has a name`;
      joiner.refuse(row, 'bad_time', detail, original());
      continue;
    }
    const labels = { HourAndMin: label, region: textOf(field(node, 'region')) };
    for (const component of COMPONENTS) {
      const text = textOf(field(node, component));
      joiner.add({ row, run, location, ...span, component, text, labels }, original);
    }
  }
}
