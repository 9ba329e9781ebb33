// What the commands say to people: one line a fact, problems with where they stand.

import type { Entry, Inventory } from './inventory.ts';
import type { Trial } from './trial.ts';

export function listLines({ entries, problems }: Inventory): string[] {
  const lines = entries.map((entry) => {
    const state = entry.problems.length > 0 ? 'INVALID' : entry.enabled ? 'enabled' : 'disabled';
    const feeds = entry.plan?.feeds.map(({ name }) => name).join(' ') ?? '';
    return `${entry.name.padEnd(12)} ${state.padEnd(9)} ${(entry.market ?? '').padEnd(8)} ${feeds}`.trimEnd();
  });
  return [...problems, ...lines, ...entries.flatMap(problemLines)];
}

export function problemLines({ problems, warnings }: Entry): string[] {
  return [...problems.map((each) => `  FAIL  ${each}`), ...warnings.map((each) => `  warn  ${each}`)];
}

export function verdictLines(entry: Entry): string[] {
  const isValid = entry.problems.length === 0;
  return [`${isValid ? 'ok  ' : 'FAIL'}  ${entry.name}`, ...problemLines(entry)];
}

export function infoLines(entry: Entry): string[] {
  const { plan } = entry;
  const lines = [entry.name, `  ${entry.description}`, `  market    ${entry.market ?? ''}`];
  lines.push(`  enabled   ${entry.enabled ? 'yes' : 'no'} (connectors.yaml)`);
  if (plan !== null) {
    for (const [base, url] of Object.entries(plan.bases)) lines.push(`  url       ${base} ${url}`);
    lines.push(`  limits    a request in ${plan.requestIntervalMs} ms, ${plan.timeoutMs} ms for an answer`);
    for (const { name, source, nodes, daysBack } of plan.feeds) {
      const where = nodes === 'all' ? 'all locations' : nodes.join(', ');
      lines.push(`  feed      ${name}: ${source.name}, run ${source.run}, ${daysBack} days back, ${where}`);
    }
  }
  return [...lines, ...problemLines(entry)];
}

export function trialLines(trial: Trial): string[] {
  const { passed, connector, source, from, of, outcome } = trial;
  const span = trial.first_interval === null ? '' : `, ${trial.first_interval} to ${trial.last_interval}`;
  const way = from === 'recording' ? '' : `, HTTP ${trial.http_status ?? '-'}, ${trial.requests} request(s)`;
  const lines = [
    `${passed ? 'ok  ' : 'FAIL'}  ${connector}  ${source}  ${from} ${of}: ${outcome}`,
    `      ${trial.duration_ms} ms, ${trial.bytes} bytes${way}`,
    `      ${trial.rows_read} rows (${trial.rows_refused} refused) -> ${trial.records} records -> ` +
      `${trial.ticks} ticks (${trial.rejected} rejected), ${trial.instruments} instruments${span}`,
  ];
  if (trial.detail !== null) lines.push(`      ${trial.detail}`);
  if (trial.first_rejection !== null) lines.push(`      first rejection: ${trial.first_rejection}`);
  return lines;
}
