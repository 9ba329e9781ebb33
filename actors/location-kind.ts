// What kind of place a location is, judged by how the operators name them: trading hubs (`TH_…`, `….HUB`),
// pricing nodes (`…_N001`, `…-APND`, `A.B`), and the rest.

import type { LocationKind } from './enrichment-options.ts';

export function locationKind(location: string): LocationKind {
  if (/^TH_|\.HUB$|_HUB\b/i.test(location)) return 'hub';
  if (/_N\d{3}$|_B\d+$|-APND$|^[A-Z0-9]+\.[A-Z0-9]/i.test(location)) return 'node';
  return 'default';
}
