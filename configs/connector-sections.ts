// connectors.yaml connector by connector, for tools: one that is wrong is told by its findings and does not
// hide the others, as it does when the whole configuration is loaded.

import { join } from 'node:path';
import { isTree, parseWith, placeIn } from './parse.ts';
import { type ConnectorsFile, connectors } from './schema-connectors.ts';
import { type Finding, readYaml } from './yaml.ts';

export type ConnectorSection = ConnectorsFile['connectors'][string];

export interface NamedSection {
  readonly name: string;
  /** Null: it has findings. */
  readonly section: ConnectorSection | null;
  /** Wrong values. */
  readonly findings: readonly Finding[];
  /** Keys without effect. */
  readonly warnings: readonly Finding[];
}

export interface Sections {
  /** In the order of the file. */
  readonly sections: readonly NamedSection[];
  /** Of the file as a whole; then there are no sections. */
  readonly findings: readonly Finding[];
}

/** Reads `<configDir>/connectors.yaml`. */
export function readConnectorSections(configDir: string): Sections {
  const path = join(configDir, 'connectors.yaml');
  const file = readYaml(path);
  if (!('where' in file)) return { sections: [], findings: file };
  const all = isTree(file.value) ? file.value.connectors : undefined;
  if (!isTree(all)) {
    const message = 'expected a map of connectors by name';
    return { sections: [], findings: [{ where: file.where(['connectors']), key: 'connectors', message }] };
  }
  const sections = Object.entries(all).map(([name, value]): NamedSection => {
    const parsed = parseWith(connectors, { connectors: { [name]: value } }, placeIn(file));
    const { findings, warnings } = parsed;
    return { name, section: parsed.value?.connectors[name] ?? null, findings, warnings };
  });
  return { sections, findings: [] };
}
