// The actors of a worker, asked by messages.

import type { ActorsPlace } from '../views.ts';
import type { Question } from './messages.ts';

export function workerPlace(ask: <T>(question: Question) => Promise<T>): ActorsPlace {
  return {
    tree: () => ask({ call: 'tree' }),
    markets: () => ask({ call: 'markets' }),
    market: (market, limit, after) => ask({ call: 'market', market, limit, after }),
    instruments: (market, name) => ask({ call: 'instruments', market, name }),
    near: (market, name) => ask({ call: 'near', market, name }),
    release: (instrument) => ask({ call: 'release', instrument }),
  };
}
