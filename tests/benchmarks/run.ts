// `bun run bench [name …]`: named measurements of the real process, printed as a line each. `--help` lists
// them. Numbers are for the README; nothing here passes or fails.

import { inspection } from './inspection.ts';
import { parallelism } from './parallelism.ts';
import { restore } from './restore.ts';
import { stages } from './stages.ts';
import { start } from './start.ts';

const BENCHES: Readonly<Record<string, { readonly about: string; readonly run: () => Promise<void> }>> = {
  inspection: { about: 'CPU µs a look costs, with the sample’s instruments live', run: inspection },
  restore: { about: 'seconds until 50,000 stored instruments are ready', run: restore },
  parallelism: { about: 'ticks a second with two workers against one, a MISO day', run: parallelism },
  stages: { about: 'CPU µs a tick of each stage, of the log and of the engine', run: stages },
  start: { about: 'seconds until all five ports answer: first start, and warm', run: start },
};

const words = process.argv.slice(2);
const unknown = words.filter((word) => !word.startsWith('-') && !(word in BENCHES));
if (words.includes('--help') || unknown.length > 0) {
  if (unknown.length > 0) console.error(`no benchmark '${unknown.join("', '")}'`);
  console.log('usage: bun run bench [name …]\n');
  for (const [name, { about }] of Object.entries(BENCHES)) console.log(`  ${name.padEnd(12)} ${about}`);
  process.exit(unknown.length > 0 ? 64 : 0);
}
for (const [name, { run }] of Object.entries(BENCHES)) {
  if (words.length > 0 && !words.includes(name)) continue;
  console.log(`${name}:`);
  await run();
}
