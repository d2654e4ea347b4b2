// Calls of the server's HTTP API, with the user's token. The token is held here, in memory alone: a
// reload asks for it again.

const CALL_MS = 6_000;
const FILE_MS = 600_000;

/** Why a call has no answer. `message` is the server's own text, in English. */
export class ApiFailure extends Error {
  constructor(
    readonly kind: 'unauthorized' | 'forbidden' | 'missing' | 'refused' | 'network',
    readonly code: string,
    message: string,
    readonly retryAfterMs: number | null = null,
  ) {
    super(message);
  }
}

interface ErrorBody {
  error?: { code?: string; message?: string; retry_after_ms?: number };
}

export class Api {
  readonly #token: string | null;

  /** Calls go to `base`, an origin without a slash at its end; empty for the page's own. */
  constructor(
    token: string | null,
    private readonly base = '',
  ) {
    this.#token = token;
  }

  get<T>(path: string): Promise<T> {
    return this.call<T>('GET', path);
  }

  /** Returns an answer as text, such as a file to save, within ten minutes. Throws an ApiFailure. */
  async text(path: string): Promise<string> {
    const response = await this.#send('GET', path, AbortSignal.timeout(FILE_MS));
    return response.text().catch(() => {
      throw new ApiFailure('network', 'network', 'the answer broke off');
    });
  }

  /** Sends a call and returns its JSON answer; nothing of an answer without content. Throws an ApiFailure. */
  async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await this.#send(method, path, AbortSignal.timeout(CALL_MS), body);
    if (response.status === 204) return undefined as T;
    try {
      return (await response.json()) as T;
    } catch {
      throw new ApiFailure('network', 'network', 'the answer broke off');
    }
  }

  /** Opens a stream that lasts until `signal` or its end. Throws an ApiFailure. */
  async stream(path: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const response = await this.#send('GET', path, signal);
    if (!response.body) throw new ApiFailure('network', 'network', 'the answer is empty');
    return response.body;
  }

  async #send(method: string, path: string, signal: AbortSignal, body?: unknown): Promise<Response> {
    let response: Response;
    const headers: Record<string, string> = this.#token === null ? {} : { Authorization: `Bearer ${this.#token}` };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    try {
      const sent = body === undefined ? null : JSON.stringify(body);
      response = await fetch(this.base + path, { method, headers, signal, body: sent, credentials: 'omit', cache: 'no-store' });
    } catch (error) {
      throw new ApiFailure('network', 'network', error instanceof Error ? error.message : String(error));
    }
    if (response.ok) return response;
    const { error } = (await response.json().catch(() => ({}))) as ErrorBody;
    throw new ApiFailure(kindOf(response.status), error?.code ?? String(response.status), error?.message ?? `HTTP ${response.status}`, error?.retry_after_ms ?? null);
  }
}

function kindOf(status: number): ApiFailure['kind'] {
  if (status === 401) return 'unauthorized';
  if (status === 403) return 'forbidden';
  if (status === 404) return 'missing';
  return 'refused';
}

/** Returns the path by which a call reaches one instance of the fleet. */
export function instancePath(role: string, id: string, call: string): string {
  return `/v1/admin/instances/${role}/${encodeURIComponent(id)}/${call}`;
}
