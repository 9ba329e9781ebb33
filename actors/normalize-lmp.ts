// An operator's observation, joined by a feed: its components' text → values. The LMP itself must be there; a
// missing component stays unknown.

import { type Rejection, reject } from './domain/rejection.ts';
import type { Draft, Values } from './normalize.ts';
import { isObject, kindOf } from './normalize-decode.ts';
import type { FieldReader } from './normalize-fields.ts';
import type { NormalizeMarket, ValueField } from './normalize-options.ts';

export const NO_VALUES: Values = {
  price: null,
  quantity: null,
  bid_price: null,
  offer_price: null,
  clearing_price: null,
  energy_price: null,
  congestion_price: null,
  loss_price: null,
  ghg_price: null,
};

export function lmpDraft(reader: FieldReader, market: NormalizeMarket): Draft | Rejection {
  const { record } = reader;
  const { values, labels } = record;
  if (!isObject(values)) {
    return reject(
      'missing_field',
      `values is ${kindOf(values)}; expected the operator's components`,
      'values',
    );
  }
  const startUs = reader.instantUs('interval_start');
  const found = readComponents(reader, values, market);
  if (found.price === null && reader.rejection === null) {
    return reject('missing_field', 'the observation has no LMP', 'values.LMP');
  }
  return {
    instrumentType: 'lmp',
    run: reader.text('run'),
    location: reader.text('delivery_location'),
    startUs,
    endUs: reader.instantUs('interval_end'),
    publication: reader.instantUs('publication'),
    tradeId: null,
    values: found,
    labels: readLabels(isObject(labels) ? labels : {}, market),
    texts: {
      trade_type: null,
      product_type: null,
      currency: null,
      unit: null,
      price_unit: null,
      delivery_period: null,
    },
    metadata: { raw_event_id: record.event_id ?? null, source: record.source ?? null },
  };
}

function readComponents(
  reader: FieldReader,
  values: Readonly<Record<string, unknown>>,
  market: NormalizeMarket,
): Values {
  const out: Record<ValueField, number | null> = { ...NO_VALUES };
  const { components } = market.spec;
  for (const [component, text] of Object.entries(values)) {
    const field = Object.hasOwn(components, component) ? components[component] : undefined;
    if (field === undefined) {
      reader.flags.push(`unknown_component:${component.slice(0, 32)}`);
    } else if (typeof text === 'string') {
      out[field] = reader.decimalText(text, field);
    } else {
      reader.fail(
        reject('wrong_type', `${component} is ${kindOf(text)}; expected the operator's text`, field),
      );
    }
  }
  return out;
}

function readLabels(labels: Readonly<Record<string, unknown>>, market: NormalizeMarket): Draft['labels'] {
  const first = (names: readonly string[]): string | null => {
    for (const name of names) {
      const found = Object.hasOwn(labels, name) ? labels[name] : undefined;
      if (typeof found === 'string' && found !== '') return found;
    }
    return null;
  };
  const hour = first(market.labels.hourEnding);
  const hourEnding = hour === null || !/^\d{1,2}$/.test(hour) ? null : Number(hour);
  return { date: first(market.labels.operatingDay), hourEnding };
}
