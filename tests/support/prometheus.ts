// A strict reader of the Prometheus text format 0.0.4, written from its description. Anything that the format
// forbids throws with its line: a family that is interrupted or has no type, a sample of another family, a
// series that comes twice, a histogram whose buckets do not add up, a counter below zero.

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

interface OpenFamily {
  readonly name: string;
  help: string;
  type: string | null;
  readonly samples: Sample[];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const TYPES: ReadonlySet<string> = new Set(['counter', 'gauge', 'histogram', 'summary', 'untyped']);

export function parsePrometheus(text: string): ReadonlyMap<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const families = new Map<string, OpenFamily>();
  const seen = new Set<string>();
  let current: OpenFamily | null = null;
  for (const [index, line] of text.split('\n').entries()) {
    if (line === '') continue;
    const refuse = (why: string): Error => new Error(`line ${index + 1}: ${why}: ${line}`);
    if (line.startsWith('#')) current = describe(families, current, line, refuse);
    else addSample(current, seen, line, refuse);
  }
  const closed = new Map<string, Family>();
  for (const family of families.values()) {
    if (family.type === null) throw new Error(`${family.name} has no type`);
    if (family.help === '') throw new Error(`${family.name} has no help`);
    if (family.type === 'histogram') checkHistogram(family.name, family.samples);
    closed.set(family.name, { ...family, type: family.type });
  }
  return closed;
}

type Refuse = (why: string) => Error;

/** A HELP or TYPE line; answers the family that is open after it. */
function describe(
  families: Map<string, OpenFamily>,
  current: OpenFamily | null,
  line: string,
  refuse: Refuse,
): OpenFamily {
  const [, word, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
  if (!NAME.test(name)) throw refuse('no HELP or TYPE of a metric');
  const open: OpenFamily = current?.name === name ? current : { name, help: '', type: null, samples: [] };
  if (open !== current && families.has(name)) throw refuse('the family was begun before');
  families.set(name, open);
  if (open.samples.length > 0) throw refuse('its samples have begun');
  if (word === 'HELP') open.help = rest;
  else if (open.type !== null || !TYPES.has(rest)) throw refuse('a second or unknown type');
  else open.type = rest;
  return open;
}

function addSample(current: OpenFamily | null, seen: Set<string>, line: string, refuse: Refuse): void {
  const sample = parseSample(line);
  if (sample === null) throw refuse('no sample');
  if (current === null || current.type === null) throw refuse('a sample without a type');
  if (!belongs(sample.name, current)) throw refuse(`not of the family ${current.name}`);
  const series = seriesOf(sample);
  if (seen.has(series)) throw refuse('the series comes twice');
  seen.add(series);
  if (current.type === 'counter' && !(sample.value >= 0)) throw refuse('a counter below zero');
  current.samples.push(sample);
}

function belongs(name: string, { name: family, type }: OpenFamily): boolean {
  if (type !== 'histogram') return name === family;
  return [`${family}_bucket`, `${family}_sum`, `${family}_count`].includes(name);
}

function seriesOf({ name, labels }: Sample): string {
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return `${name}${JSON.stringify(sorted)}`;
}

function parseSample(line: string): Sample | null {
  const found = /^([^\s{]+)(?:\{(.*)\})? (\S+)$/.exec(line);
  if (found === null) return null;
  const [, name = '', inside = '', number = ''] = found;
  const labels = parseLabels(inside);
  const value = numberOf(number);
  return !NAME.test(name) || labels === null || value === null ? null : { name, labels, value };
}

function numberOf(text: string): number | null {
  if (text === '+Inf') return Number.POSITIVE_INFINITY;
  if (text === '-Inf') return Number.NEGATIVE_INFINITY;
  if (/^nan$/i.test(text)) return Number.NaN;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : null;
}

function parseLabels(text: string): Record<string, string> | null {
  const labels: Record<string, string> = {};
  let rest = text;
  while (rest !== '') {
    const found = /^([^=]+)="((?:[^"\\]|\\[\\"n])*)"(?:,|$)/.exec(rest);
    const [all = '', name = '', value = ''] = found ?? [];
    if (found === null || !LABEL_NAME.test(name) || name in labels) return null;
    labels[name] = value;
    rest = rest.slice(all.length);
  }
  return labels;
}

function checkHistogram(name: string, samples: readonly Sample[]): void {
  const groups = new Map<
    string,
    { last: number; at: number; infinite: number | null; count: number | null }
  >();
  for (const sample of samples) {
    const { le, ...labels } = sample.labels;
    const key = JSON.stringify(labels);
    const group = groups.get(key) ?? { last: 0, at: Number.NEGATIVE_INFINITY, infinite: null, count: null };
    groups.set(key, group);
    if (sample.name === `${name}_count`) group.count = sample.value;
    if (sample.name !== `${name}_bucket`) continue;
    const bound = numberOf(le ?? '') ?? Number.NaN;
    if (!(bound > group.at)) throw new Error(`${name}: buckets out of order at ${le}`);
    if (sample.value < group.last) throw new Error(`${name}: buckets are not cumulative at ${le}`);
    group.at = bound;
    group.last = sample.value;
    if (bound === Number.POSITIVE_INFINITY) group.infinite = sample.value;
  }
  for (const { infinite, count } of groups.values()) {
    if (infinite === null || infinite !== count)
      throw new Error(`${name}: +Inf is ${infinite}, count ${count}`);
  }
}
