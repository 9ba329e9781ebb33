// Switching a connector of the process that runs it, by its own routes: live, remembered on its log, audited
// there. What went wrong is said with what to do about it.

export interface Remote {
  /** Such as `http://127.0.0.1:8515`; the first that answers is asked. Never empty. */
  readonly urls: readonly string[];
  readonly adminToken: string | null;
}

export type Answered =
  | { readonly ok: true; readonly body: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly why: string };

const ANSWER_MS_MAX = 10_000;

export async function switchConnector(
  { urls, adminToken }: Remote,
  name: string,
  to: 'enable' | 'disable',
  reason: string | null,
): Promise<Answered> {
  const authorization = adminToken === null ? {} : { authorization: `Bearer ${adminToken}` };
  const silent: string[] = [];
  for (const base of urls) {
    const url = `${base}/connectors/${encodeURIComponent(name)}/${to}`;
    try {
      const answer = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...authorization },
        body: JSON.stringify(reason === null ? {} : { reason }),
        signal: AbortSignal.timeout(ANSWER_MS_MAX),
      });
      return answered(url, answer.status, await answer.text());
    } catch (error) {
      silent.push(`${base} (${error instanceof Error ? error.message : String(error)})`);
    }
  }
  const todo = 'start with CONNECTORS=…, or name the running process by --url';
  return { ok: false, why: `nothing answers at ${silent.join(' or ')}: ${todo}` };
}

function answered(url: string, status: number, text: string): Answered {
  const body = objectOf(text);
  if (status === 200 && body !== null) return { ok: true, body };
  const said = typeof body?.message === 'string' ? body.message : text.slice(0, 300);
  return { ok: false, why: `${url} answered ${status}: ${said}` };
}

function objectOf(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}
