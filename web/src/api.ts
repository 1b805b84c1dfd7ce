// Requests to the daemon. Whatever it answers is data: it reaches the page as text only.

export interface SessionInfo {
  setup: boolean;
  setupFile: string;
  user?: string;
  role?: 'Viewer' | 'Operator';
  csrf?: string;
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

let csrf = '';

async function request(path: string, init: RequestInit): Promise<unknown> {
  const response = await fetch(path, { ...init, credentials: 'same-origin', redirect: 'error' });
  const body: unknown = await response.json().catch(() => null);
  if (response.ok) return body;
  const message = (body as { error?: unknown } | null)?.error;
  throw new ApiError(
    response.status,
    typeof message === 'string' ? message : `the daemon answered HTTP ${response.status}`,
  );
}

export async function get<Answer>(path: string, signal?: AbortSignal): Promise<Answer> {
  return (await request(path, { signal: signal ?? AbortSignal.timeout(15_000) })) as Answer;
}

export async function post<Answer>(path: string, body: Record<string, string>): Promise<Answer> {
  return (await request(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-Fairlead-Csrf': csrf },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(20_000),
  })) as Answer;
}

export async function loadSession(): Promise<SessionInfo> {
  const session = await get<SessionInfo>('/web/v1/session');
  csrf = session.csrf ?? '';
  return session;
}
