// A process that is killed, anywhere and in the moments that matter.

import { quickSoak } from '../soak/quick.ts';
import { SECTIONS } from '../soak/sections.ts';

quickSoak(SECTIONS.kill);
