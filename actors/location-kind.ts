// What kind of place a location is, judged by how the operators name them: trading hubs (`TH_…`, `….HUB`),
// pricing nodes (`…_N001`, `…_CN7`, `…-APND`, `A.B`), and the rest.

import type { LocationKind } from './enrichment-options.ts';

export function locationKind(location: string): LocationKind {
  if (/^TH_|\.HUB$|_HUB\b/i.test(location)) return 'hub';
  if (/_[A-Z]{1,2}\d+$|-APND$|^[A-Z0-9]+\.[A-Z0-9]/i.test(location)) return 'node';
  return 'default';
}
