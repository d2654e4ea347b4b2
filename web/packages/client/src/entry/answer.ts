// The answer of entry, and the verdict on it. Pure: the client in Rust passes the same test vectors
// (services/client/vectors/sources.json).

/** Largest error of a client's clock that changes no decision. */
export const CLOCK_ERROR_MS = 2 * 24 * 3_600_000;

export type Addresses = Record<string, string[]>;

export interface EntryAnswer {
  downlinks: { transport: string; url: string; gateway: string }[];
  uplinks: string[];
  race?: { width?: number; timeout_ms: number; bytes: number };
  ticket?: { token: string; wait_ms: number };
  ttl_ms: number;
  backoff_base_ms: number;
  backoff_max_ms: number;
  addresses?: Addresses;
  entries?: string[];
  issued_ms?: number;
  /** Place of this client, as entry saw it. */
  carrier?: string;
  region?: string;
}

export interface EntryRefusal {
  code: string;
  message: string;
  retry_after_ms?: number;
}

export type Verdict =
  | { kind: 'good' | 'too_old' | 'no_endpoint'; answer: EntryAnswer }
  | { kind: 'refused'; refusal: EntryRefusal }
  | { kind: 'not_json' | 'not_an_answer' };

/** Judges what a server answered that was asked in order to watch or to send. */
export function judge(status: number, body: string, purpose: 'watch' | 'send', nowMs: number): Verdict {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return { kind: 'not_json' };
  }
  if (status < 200 || status > 299) {
    const refusal = refusalOf(json);
    return refusal ? { kind: 'refused', refusal } : { kind: 'not_an_answer' };
  }
  if (!isAnswer(json)) return { kind: 'not_an_answer' };
  const endpoints: unknown[] = purpose === 'watch' ? json.downlinks : json.uplinks;
  if (endpoints.length === 0) return { kind: 'no_endpoint', answer: json };
  const isOld = json.issued_ms !== undefined && nowMs - json.issued_ms > CLOCK_ERROR_MS;
  return { kind: isOld ? 'too_old' : 'good', answer: json };
}

function refusalOf(json: unknown): EntryRefusal | null {
  const error = (json as { error?: Partial<EntryRefusal> } | null)?.error;
  return typeof error?.code === 'string' && typeof error.message === 'string' ? (error as EntryRefusal) : null;
}

function isAnswer(json: unknown): json is EntryAnswer {
  const answer = json as Partial<EntryAnswer> | null;
  return (
    Array.isArray(answer?.downlinks) &&
    answer.downlinks.every((one: unknown) => isEndpoint(one)) &&
    Array.isArray(answer.uplinks) &&
    answer.uplinks.every((url) => typeof url === 'string') &&
    isOptional(answer.issued_ms, 'number') &&
    (answer.entries === undefined || (Array.isArray(answer.entries) && answer.entries.every((url) => typeof url === 'string'))) &&
    [answer.ttl_ms, answer.backoff_base_ms, answer.backoff_max_ms].every((ms) => typeof ms === 'number')
  );
}

function isEndpoint(json: unknown): boolean {
  const endpoint = json as { transport?: unknown; url?: unknown } | null;
  return typeof endpoint?.transport === 'string' && typeof endpoint.url === 'string';
}

function isOptional(value: unknown, type: 'number'): boolean {
  return value === undefined || typeof value === type;
}
