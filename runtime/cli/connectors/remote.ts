// Switching a connector of the process that runs it, by its own routes: live, remembered on its log, audited
// there. What went wrong is said with what to do about it.

export interface Remote {
  /** Such as `http://127.0.0.1:8515`. */
  readonly url: string;
  readonly adminToken: string | null;
}

export type Answered =
  | { readonly ok: true; readonly body: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly why: string };

const ANSWER_MS_MAX = 10_000;

export async function switchConnector(
  remote: Remote,
  name: string,
  to: 'enable' | 'disable',
  reason: string | null,
): Promise<Answered> {
  const url = `${remote.url}/connectors/${encodeURIComponent(name)}/${to}`;
  const authorization = remote.adminToken === null ? {} : { authorization: `Bearer ${remote.adminToken}` };
  let answer: Response;
  try {
    answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...authorization },
      body: JSON.stringify(reason === null ? {} : { reason }),
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    });
  } catch (error) {
    return { ok: false, why: unreachable(remote, error) };
  }
  const text = await answer.text();
  const body = objectOf(text);
  if (answer.ok && body !== null) return { ok: true, body };
  const said = typeof body?.message === 'string' ? body.message : text.slice(0, 300);
  return { ok: false, why: `${url} answered ${answer.status}: ${said}` };
}

function unreachable({ url }: Remote, error: unknown): string {
  const said = error instanceof Error ? error.message : String(error);
  const todo = 'start with CONNECTORS=…, or name the running process by --url';
  return `nothing answers at ${url} (${said}): ${todo}`;
}

function objectOf(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}
