// The configuration as a start would read it: every file and variable, every finding with its place. The one
// check that the others rest on, so it comes first and makes the patient.

import { markets } from '../../actors/feeds/markets.ts';
import { readEnvironment, SECRETS, type Variables } from '../../configs/environment.ts';
import { loadConfig } from '../../configs/load.ts';
import { livePlans, prepare, sentence } from '../startup.ts';
import { type Line, line, type Patient } from './check.ts';

export interface Examined {
  readonly patient: Patient;
  readonly lines: readonly Line[];
}

export function examine(variables: Variables): Examined {
  const loaded = loadConfig(variables, markets);
  const { environment, findings } = readEnvironment(variables);
  const wrong = new Set(findings.map(({ where }) => where.replace(/_FILE$/, '')));
  const patient: Patient = { variables, environment, wrong };
  if (!loaded.ok) {
    const failures = loaded.findings.map((each) => line('fail', nameOf(each.where), sentence(each)));
    const warnings = loaded.warnings.map((each) => line('warn', nameOf(each.where), sentence(each)));
    return { patient, lines: [...failures, ...warnings] };
  }
  const live = livePlans(loaded.config).findings;
  if (live.length > 0) {
    return { patient, lines: live.map((each) => line('fail', nameOf(each.where), sentence(each))) };
  }
  const warnings = prepare(variables).warnings.map((each) => line('warn', 'configuration', each));
  const read = `${environment.configDir}: every file is read, hash ${loaded.hash}`;
  return { patient, lines: [...warnings, line('ok', 'configuration', read), ...secretLines(patient)] };
}

function nameOf(where: string): string {
  return where.includes('.yaml') ? 'configuration' : 'environment';
}

function secretLines({ variables }: Patient): Line[] {
  return SECRETS.flatMap((name) => {
    const file = variables[`${name}_FILE`]?.trim() ?? '';
    if (file !== '') return [line('ok', 'secret', `${name} comes from ${file}`)];
    const set = (variables[name]?.trim() ?? '') !== '';
    return set ? [line('ok', 'secret', `${name} is set (its value is not shown)`)] : [];
  });
}
