// Members that stand still, come, go and are replaced, over one broker and topics that grow.

import { quickSoak } from '../soak/quick.ts';
import { SECTIONS } from '../soak/sections.ts';

const { pause, rolling, scale } = SECTIONS;
quickSoak([...pause, ...rolling, ...scale]);
