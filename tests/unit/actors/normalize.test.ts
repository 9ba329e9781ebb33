// Normalization under the shipped configuration: every recording becomes ticks whose values and labels are
// what the operator wrote; other producers' JSON becomes ticks as the mappings say; and whatever is not to be
// read is refused with a reason and the field at fault.

import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import fc from 'fast-check';
import type { RawRecord, Tick } from '../../../actors/domain/wire.ts';
import { findFeed } from '../../../actors/feeds/markets.ts';
import { normalize } from '../../../actors/normalize.ts';
import type { NormalizeOptions } from '../../../actors/normalize-options.ts';
import { goodRecordings, recording, responseOf } from '../../support/recordings.ts';
import { testOptions } from '../../support/sample-ticks.ts';

/** Whole recordings, on a machine that has other work too. */
setDefaultTimeout(60_000);

const options = testOptions().normalize;
const encoder = new TextEncoder();
const APPENDED = Date.UTC(2024, 3, 19);

function run(record: unknown, of: NormalizeOptions = options) {
  const text = typeof record === 'string' ? record : JSON.stringify(record);
  return normalize(encoder.encode(text), APPENDED, of);
}

function tickOf(record: unknown, of: NormalizeOptions = options): Tick {
  const found = run(record, of);
  if (found.kind !== 'tick') throw new Error(JSON.stringify(found));
  return found.tick;
}

function refusalOf(record: unknown, of: NormalizeOptions = options) {
  const found = run(record, of);
  if (found.kind !== 'rejected') throw new Error(`not refused: ${JSON.stringify(found).slice(0, 300)}`);
  return found.rejection;
}

function recordsOf(path: string): readonly RawRecord[] {
  const response = responseOf(path);
  return findFeed(response)?.parse(response).records ?? [];
}

const FIELDS = {
  LMP: 'price',
  MCE: 'energy_price',
  MCC: 'congestion_price',
  MCL: 'loss_price',
  MLC: 'loss_price',
  MGHG: 'ghg_price',
} as const;
const PRICES = ['price', 'energy_price', 'congestion_price', 'loss_price', 'ghg_price'] as const;

describe('every recording', () => {
  test.each(goodRecordings().map((path) => [path.slice(path.lastIndexOf('/') + 1), path]))(
    '%s',
    (_, path = '') => {
      const off: string[] = [];
      const ids = new Set<string>();
      const records = recordsOf(path);
      for (const record of records) {
        const tick = tickOf(record);
        ids.add(tick.event_id);
        const wanted = new Map<string, number>();
        for (const [name, field] of Object.entries(FIELDS)) {
          const text = record.values[name];
          if (text !== undefined) wanted.set(field, Number(text));
        }
        const hour = record.labels.OPR_HR ?? record.labels.hour_ending;
        const day = record.labels.OPR_DT ?? record.labels.OPR_DATE;
        const right =
          PRICES.every((field) => tick[field] === (wanted.get(field) ?? null)) &&
          tick.quantity === null &&
          (hour === undefined || tick.delivery_hour === Number(hour)) &&
          (day === undefined || tick.delivery_date === day) &&
          tick.quality_flags.every((flag) => /_range$/.test(flag)) &&
          tick.instrument_id === `${record.market}:${record.run}:${record.delivery_location}` &&
          tick.interval_start === record.interval_start &&
          tick.interval_end === record.interval_end &&
          tick.publication === record.publication &&
          tick.trace_id === record.trace_id;
        if (!right) off.push(JSON.stringify([record.values, record.labels, tick]));
      }
      expect(off).toEqual([]);
      expect(ids.size).toBe(records.length);
    },
  );
});

const [lmp] = recordsOf(recording('20240418_20240420'));
if (lmp === undefined) throw new Error('the recording has no record');

describe('an LMP', () => {
  test('lacks what the operator did not publish: unknown, never 0 and never derived', () => {
    const values = { LMP: lmp.values.LMP, MCE: lmp.values.MCE, MCL: lmp.values.MCL };
    const tick = tickOf({ ...lmp, values });
    expect(tick.congestion_price).toBeNull();
    expect(tick.ghg_price).toBeNull();
    expect(tick.price).toBe(Number(lmp.values.LMP));
  });

  test('whose label disagrees with its time is flagged, and the time is believed', () => {
    const wrong = tickOf({ ...lmp, labels: { ...lmp.labels, OPR_HR: '23' } });
    expect(wrong.quality_flags).toEqual(['label_mismatch']);
    expect(wrong.delivery_hour).toBe(tickOf(lmp).delivery_hour);
    expect(tickOf({ ...lmp, labels: {} }).quality_flags).toEqual([]);
  });

  test('above the cap or below the floor is flagged and kept', () => {
    const high = tickOf({ ...lmp, values: { LMP: '12345.67' } });
    expect([high.price, high.quality_flags]).toEqual([12_345.67, ['price_above_range']]);
    expect(high.validation_errors.length).toBe(1);
    expect(tickOf({ ...lmp, values: { LMP: '-1000.01' } }).quality_flags).toEqual(['price_below_range']);
    expect(tickOf({ ...lmp, values: { LMP: '-999.99' } }).quality_flags).toEqual([]);
  });

  test('with more than six places is rounded half to even and says so', () => {
    const tick = tickOf({ ...lmp, values: { LMP: '1.0000005', MCC: '1.0000015', MCL: '-7e-05' } });
    expect([tick.price, tick.congestion_price, tick.loss_price]).toEqual([1, 1.000002, -0.00007]);
    expect(tick.quality_flags).toEqual(['price_rounded', 'congestion_price_rounded']);
  });

  test('with a component nobody knows keeps the others and says so', () => {
    const tick = tickOf({ ...lmp, values: { LMP: '1', XYZ: '2' } });
    expect([tick.price, tick.quality_flags]).toEqual([1, ['unknown_component:XYZ']]);
  });

  test('in strict mode is refused for what would be a flag', () => {
    const strict = { ...options, validation: { ...options.validation, strictMode: true } };
    expect(refusalOf({ ...lmp, values: { LMP: '12345' } }, strict)).toMatchObject({ reason: 'out_of_range' });
    expect(refusalOf({ ...lmp, values: { LMP: '1', XYZ: '2' } }, strict)).toMatchObject({
      reason: 'validation_rule',
    });
    expect(tickOf(lmp, strict)).toEqual(tickOf(lmp));
  });
});

describe('the identity of a version', () => {
  const id = (change: object) => tickOf({ ...lmp, ...change }).event_id;

  test('is publication and values: the same again is the same id, whoever carried it and when', () => {
    const again = { event_id: 'other', trace_id: 'other', source: {}, producer: 'other', labels: {} };
    expect(id(again)).toBe(id({}));
    const later = normalize(encoder.encode(JSON.stringify(lmp)), APPENDED + 1_000, options);
    expect(later.kind === 'tick' && later.tick.event_id).toBe(id({}));
  });

  test('differs with publication, interval, location, run and any value', () => {
    const changes = [
      {},
      { publication: lmp.publication + 1 },
      { interval_start: lmp.interval_start + 3_600_000_000, interval_end: lmp.interval_end + 3_600_000_000 },
      { delivery_location: 'X' },
      { run: 'HASP' },
      { values: { ...lmp.values, LMP: '1' } },
      { values: { ...lmp.values, MCC: '1' } },
      { values: { LMP: lmp.values.LMP } },
    ];
    expect(new Set(changes.map(id)).size).toBe(changes.length);
  });

  test('equal values have one hash however they are written, and 0 is not unknown', () => {
    const hash = (values: object) => tickOf({ ...lmp, values }).version_hash;
    expect(hash({ LMP: '.5', MCC: '-0' })).toBe(hash({ MCC: '0.00', LMP: '+0.50' }));
    expect(hash({ LMP: '1', MCC: '0' })).not.toBe(hash({ LMP: '1' }));
    expect(hash({ LMP: '1', MCC: '2' })).not.toBe(hash({ LMP: '1', MCL: '2' }));
  });
});

describe('input at fault', () => {
  const deep = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;

  test.each([
    ['nothing', '', 'malformed_json'],
    ['text that is no JSON', '{"market":', 'malformed_json'],
    ['NaN', '{"market":"CAISO","price":NaN}', 'malformed_json'],
    ['a list', '[]', 'not_an_object'],
    ['null', 'null', 'not_an_object'],
    ['a number', '1', 'not_an_object'],
    ['a key that reaches a prototype', '{"market":"CAISO","__proto__":{"price":1}}', 'forbidden_key'],
    ['such a key further down', '{"market":"CAISO","values":{"constructor":1}}', 'forbidden_key'],
    ['nesting of 70 levels', deep(70), 'too_deep'],
    ['nesting of 100,000 levels', deep(100_000), 'too_deep'],
    ['no market', '{"data_type":"lmp"}', 'unknown_market'],
    ['an unknown market', '{"market":"ERCOT"}', 'unknown_market'],
    ['a market that is no text', '{"market":{}}', 'unknown_market'],
    ['no type of data', '{"market":"CAISO"}', 'unknown_data_type'],
    ['an unknown type of data', '{"market":"CAISO","data_type":"weather"}', 'unknown_data_type'],
    ['a calendar without its time', '{"data_type":"calendar","market":"CAISO"}', 'wrong_type'],
  ])('%s is refused', (_, text, reason) => {
    const { reason: found, detail } = refusalOf(text);
    expect(String(found)).toBe(reason);
    expect(detail.length).toBeGreaterThan(10);
    expect(detail.length).toBeLessThanOrEqual(500);
  });

  const withField = (field: string, value: unknown) => ({ ...lmp, [field]: value });

  test.each([
    ['values', undefined, 'missing_field', 'values'],
    ['values', 'text', 'missing_field', 'values'],
    ['values', {}, 'missing_field', 'values.LMP'],
    ['values', { MCC: '1' }, 'missing_field', 'values.LMP'],
    ['values', { LMP: 12 }, 'wrong_type', 'price'],
    ['values', { LMP: null }, 'wrong_type', 'price'],
    ['values', { LMP: 'NaN' }, 'not_finite', 'price'],
    ['values', { LMP: '1e309' }, 'not_finite', 'price'],
    ['values', { LMP: '-Infinity' }, 'not_finite', 'price'],
    ['values', { LMP: '1e99' }, 'out_of_range', 'price'],
    ['values', { LMP: '1,5' }, 'wrong_type', 'price'],
    ['values', { LMP: '1', MCC: '' }, 'wrong_type', 'congestion_price'],
    ['run', undefined, 'missing_field', 'run'],
    ['run', 'XXX', 'unknown_run', 'run'],
    ['run', 'hasOwnProperty', 'unknown_run', 'run'],
    ['run', 7, 'wrong_type', 'run'],
    ['delivery_location', undefined, 'missing_field', 'delivery_location'],
    ['delivery_location', null, 'missing_field', 'delivery_location'],
    ['delivery_location', '', 'wrong_type', 'delivery_location'],
    ['delivery_location', ['A'], 'wrong_type', 'delivery_location'],
    ['delivery_location', 'Zürich', 'wrong_type', 'delivery_location'],
    ['delivery_location', 'x'.repeat(129), 'wrong_type', 'delivery_location'],
    ['delivery_location', 'x'.repeat(10_000_000), 'wrong_type', 'delivery_location'],
    ['interval_start', undefined, 'missing_field', 'interval_start'],
    ['interval_start', 'yesterday', 'bad_time', 'interval_start'],
    ['interval_start', 1_713_000_000, 'bad_time', 'interval_start'],
    ['interval_start', 1.5, 'bad_time', 'interval_start'],
    ['interval_start', {}, 'wrong_type', 'interval_start'],
    ['interval_end', lmp.interval_start, 'bad_interval', 'interval_end'],
    ['interval_end', lmp.interval_start - 1, 'bad_interval', 'interval_end'],
    ['interval_end', lmp.interval_start + 26 * 3_600_000_000, 'bad_interval', 'interval_end'],
    ['publication', undefined, 'missing_field', 'publication'],
    ['publication', true, 'wrong_type', 'publication'],
  ])('%s %p is refused: %s', (field, value, reason, at) => {
    const { reason: found, field: where, detail } = refusalOf(withField(field, value));
    expect([String(found), where]).toEqual([reason, at]);
    expect(detail.length).toBeLessThanOrEqual(500);
  });

  test('a number beyond what a number can be is refused', () => {
    const text = JSON.stringify(lmp).replace(`"publication":${lmp.publication}`, '"publication":1e309');
    expect(refusalOf(text)).toMatchObject({ reason: 'bad_time', field: 'publication' });
  });

  test('more bytes than are read, and bytes that are no UTF-8, are refused', () => {
    const small = { ...options, recordBytesMax: 1_000 };
    expect(refusalOf('x'.repeat(1_001), small)).toMatchObject({ reason: 'too_large' });
    const latin = new Uint8Array([...encoder.encode('{"market":"'), 0xe9, ...encoder.encode('"}')]);
    expect(normalize(latin, APPENDED, options)).toMatchObject({
      kind: 'rejected',
      rejection: { reason: 'malformed_json' },
    });
  });

  test('any JSON at all: a tick or a reason, never a throw', () => {
    const field = fc.constantFrom(...Object.keys(lmp), 'price', 'delivery_date', 'delivery_hour', 'trade_id');
    const type = fc.constantFrom('lmp', 'trade', 'curve', 'market_price', 'calendar', 'x');
    fc.assert(
      fc.property(type, fc.dictionary(field, fc.jsonValue()), (data_type, changes) => {
        const found = run({ ...lmp, data_type, ...changes });
        if (found.kind === 'rejected') expect(found.rejection.detail.length).toBeGreaterThan(10);
        else expect(['tick', 'calendar']).toContain(found.kind);
      }),
      { numRuns: 1_000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(normalize(bytes, APPENDED, options).kind).toBe('rejected');
      }),
    );
  });
});
