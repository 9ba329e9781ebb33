// A single broker that is restarted and badly reached, and a ClickHouse and a Redis that go away.

import { quickSoak } from '../soak/quick.ts';
import { SECTIONS } from '../soak/sections.ts';

const { broker, sinks } = SECTIONS;
// The last part of sinks ends the market, to compare what is cached.
quickSoak([...broker.filter(({ nodes }) => nodes === 1), ...sinks]);
