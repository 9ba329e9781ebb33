// A process that commits as fast as it can and says what was acknowledged; log-kill.test.ts ends it in the
// middle. Each batch of input makes one output a record, and state that adds up all records so far.
// bun log-committer.ts <directory>

import { openEmbeddedLog } from '../../runtime/log/embedded.ts';

const [dir = ''] = process.argv.slice(2);
const log = openEmbeddedLog({ dir, nowMs: () => 0 });
const of = { topic: 'input', partition: 0 };
const member = await log.join('group', ['input']);
const decoder = new TextDecoder();
let sum = 0;
for await (const [, value] of member.state(of)) sum = Number(decoder.decode(value));
process.stdout.write(`ready ${await member.committed(of)}\n`);
for (let round = 0; ; round += 1) {
  const batch = await member.poll(of, 1 + (round % 7));
  if (batch === null) break;
  const outputs = Array.from({ length: batch.count }, (_, n) => {
    const number = decoder.decode(batch.value(n));
    sum += Number(number);
    // Large enough that a commit takes many pages.
    return { topic: `output-${n % 2}`, key: number, value: number.repeat(2_000) };
  });
  const state = [{ key: 'sum', value: new TextEncoder().encode(String(sum)) }];
  const outcome = await member.commit(of, { outputs, state, nextOffset: batch.nextOffset });
  if (outcome !== 'committed') throw new Error(outcome);
  process.stdout.write(`acked ${batch.nextOffset}\n`);
}
process.stdout.write('done\n');
await log.close();
