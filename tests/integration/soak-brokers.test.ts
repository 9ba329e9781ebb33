// Brokers of three that are killed, leaders and coordinators.

import { quickSoak } from '../soak/quick.ts';
import { SECTIONS } from '../soak/sections.ts';

quickSoak(SECTIONS.broker.filter(({ nodes }) => nodes === 3));
