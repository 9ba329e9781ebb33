// The shipped files: they start without a word, enable what the platform promises, and leave no gap.

import { expect, test } from 'bun:test';
import { markets } from '../../../actors/feeds/markets.ts';
import { prepare } from '../../../runtime/startup.ts';
import { FILES, SHIPPED, textOf } from '../../support/config-dir.ts';

const shipped = prepare({ CONFIG_DIR: SHIPPED });

test('the shipped files start without a warning', () => {
  expect(shipped.warnings).toEqual([]);
});

test('all four bar sizes are made for every market', () => {
  const made = [...shipped.stages.aggregation.markets].map(([name, { bars }]) => [
    name,
    bars.map(({ size }) => size),
  ]);
  expect(made).toEqual(markets.map(({ market }) => [market, ['5M', '15M', '1H', '1D']]));
});

test('nothing that is shipped holds rows back for more than 2 s', () => {
  const waits = FILES.flatMap((file) => [...textOf(SHIPPED, file).matchAll(/^[^#\n]*flush\w*:\s*(\S+)/gm)]);
  expect(waits.map(([line]) => line)).toEqual([]);
});

test('price classes cover negative prices, without gaps or overlaps', () => {
  for (const [name, { priceClasses, quantityClasses }] of shipped.stages.enrichment.markets) {
    for (const classes of [priceClasses, quantityClasses]) {
      const bounds = classes.map(({ min, max }) => [min, max] as const);
      for (const [index, [min, max]] of bounds.entries()) {
        expect(min, name).toBeLessThan(max);
        const before = bounds[index - 1];
        if (before !== undefined) expect(min, name).toBe(before[1]);
      }
    }
    expect(priceClasses[0]?.min, name).toBeLessThanOrEqual(-150);
    expect(priceClasses[0]?.max, name).toBe(0);
  }
});

test('the frozen result cannot be changed by accident', () => {
  const { config } = shipped;
  expect(Object.isFrozen(config)).toBe(true);
  expect(Object.isFrozen(config.runtime.log)).toBe(true);
  expect(Object.isFrozen(config.quality.markets)).toBe(true);
});

test('the hash tells configurations apart, and not the ports they are served on', () => {
  const of = (more: Record<string, string>) => prepare({ CONFIG_DIR: SHIPPED, ...more }).hash;
  expect(of({})).toBe(shipped.hash);
  expect(of({ PORT_PROJECTION: '9999' })).toBe(shipped.hash);
  expect(of({ DATA_DIR: './elsewhere' })).not.toBe(shipped.hash);
});
