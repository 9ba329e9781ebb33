// What a JUnit report of `bun test` says: counts, what was skipped, and what failed with its reason.

const WHY_CHARS_MAX = 1_500;
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

export interface Counts {
  readonly passed: number;
  readonly failures: readonly string[];
  readonly skipped: readonly string[];
}

/**
 * Counts of a JUnit report: one `testcase` each, with `failure`, `error` or `skipped` inside. Not by a parser
 * of XML: what a test said may hold characters that XML does not allow, and must not cost the counts.
 */
export function countsOf(xml: string): Counts {
  const cases = xml.matchAll(/<testcase ([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g);
  let passed = 0;
  const failures: string[] = [];
  const skipped: string[] = [];
  for (const [, attributes = '', inside = ''] of cases) {
    const name = attribute(attributes, 'name');
    if (inside.includes('<skipped')) skipped.push(name);
    else if (inside.includes('<failure') || inside.includes('<error')) {
      failures.push(`failed: ${attribute(attributes, 'file')}: ${name}\n${why(inside)}`);
    } else passed += 1;
  }
  return { passed, failures, skipped };
}

/** What is said inside of a failure, or its message where nothing is. */
function why(inside: string): string {
  const body = /<(?:failure|error)[^>]*>([^<]+)</.exec(inside)?.[1];
  const said = body === undefined ? attribute(inside, 'message') : plain(body);
  return said.slice(0, WHY_CHARS_MAX).trimEnd().replace(/^/gm, '    ');
}

function attribute(of: string, name: string): string {
  return plain(new RegExp(`\\b${name}="([^"]*)"`).exec(of)?.[1] ?? '');
}

/** Text without the five entities of XML and its numbered ones. */
function plain(text: string): string {
  return text.replace(/&(?:#(\d+)|(\w+));/g, (whole, code: string | undefined, name: string) =>
    code === undefined ? (ENTITIES[name] ?? whole) : String.fromCodePoint(Number(code)),
  );
}
