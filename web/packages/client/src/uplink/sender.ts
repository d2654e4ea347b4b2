// Sends requests to the uplinks. A retry uses the same message id, so that the server counts it once.
// Where the network alters or blocks ordinary requests, they go through the tunnel.

import type { Credentials } from '../credentials.ts';
import type { Host } from '../host.ts';
import { Backoff } from '../ladder/backoff.ts';
import { Ladder } from '../ladder/ladder.ts';
import { Round } from '../ladder/round.ts';
import type { Refusal } from '../protocol/frames.ts';
import type { Route } from './route.ts';
import { decodeAnswer, encodeRequest, type Method } from './tunnel.ts';

const TIMEOUT_MS = 8_000;
/**
 * How long a used connection counts as open. The server keeps it for 2 minutes; a browser may close it
 * earlier, and a ping then opens another.
 */
const WARM_MS = 100_000;
const ATTEMPTS_MAX = 5;
/** Longest time for a post with its retries. */
const DEADLINE_MS = 40_000;
/** Uplinks that are tried on one rung before the next rung: one of them may be away. */
const UPLINKS_MAX = 2;
/** Longest wait that the sender accepts for a retry. For a longer one the viewer decides. */
const RETRY_AFTER_MS_MAX = 5_000;
/** Refusals that a retry may pass. Limits are not among them: the viewer waits for them. */
const PASSING = new Set(['overloaded', 'unavailable', 'timeout', 'internal']);
/** Refusals that a proxy may have caused, because it removed a header or changed the request. */
const DOUBTFUL: ReadonlySet<string> = new Set(['bad_request', 'not_found', 'method_not_allowed', 'unauthorized']);
/** Refusals about the resource of the tunnel itself. */
const OF_RESOURCE = new Set(['bad_request', 'not_found', 'method_not_allowed']);

/** Ways of a post, best first. */
const RUNGS = ['http', 'tunnel'] as const;
type Rung = (typeof RUNGS)[number];

export type Reply<Answer> = { kind: 'accepted'; answer: Answer } | { kind: 'refused'; refusal: Refusal };

/** A request to an uplink. */
export interface UplinkRequest {
  method: Method;
  /** Path from the root, with its query. */
  path: string;
  body?: unknown;
  /** Field by which an answer of Barrage is known; without it, any object is one. */
  known?: string;
}

export class Sender {
  /** Last use of a connection to the uplink, in `performance.now()`. */
  #usedAt = -Infinity;
  #ladder = new Ladder<Rung>(RUNGS);

  constructor(
    private readonly host: Host,
    private readonly credentials: Pick<Credentials, 'token' | 'renew'>,
    private readonly route: Pick<Route, 'uplinks' | 'answered' | 'failed' | 'forget'>,
  ) {}

  /**
   * Opens the connection of the next post ahead, while the viewer begins to write: name look-up, TCP and TLS
   * take several round trips. Nothing is sent while the connection was used within `WARM_MS`.
   */
  async warm(): Promise<void> {
    if (performance.now() - this.#usedAt < WARM_MS) return;
    // Before the answer, so that the next key asks for nothing.
    this.#usedAt = performance.now();
    try {
      const [uplink] = await this.route.uplinks();
      // No header of its own: a page on another host needs no preflight. The same pool as a post's.
      await this.host.ask(`${uplink ?? ''}/v1/ping`, { cache: 'no-store' }, TIMEOUT_MS, () => undefined);
    } catch {
      // The post opens its connection itself, or finds the next uplink.
      this.#usedAt = -Infinity;
    }
  }

  /** Way of the last post that was answered; null before the first. */
  get transport(): Rung | null {
    return this.#ladder.carrying;
  }

  /** Sends a request, with retries. The request carries an id, or changes nothing a second time. */
  async send<Answer>(request: UplinkRequest): Promise<Reply<Answer>> {
    const backoff = new Backoff(400, 4_000);
    const end = performance.now() + DEADLINE_MS;
    let renewed = false;
    let refusal: Refusal = { code: 'network', message: '' };
    for (let attempt = 0; attempt < ATTEMPTS_MAX && performance.now() < end; attempt += 1) {
      const sent = await this.#round<Answer>(request);
      if (sent.kind === 'accepted') return sent;
      refusal = sent.refusal;
      if (!renewed && (refusal.code === 'token_expired' || refusal.code === 'unauthorized')) {
        renewed = true;
        if (await this.credentials.renew().catch(() => false)) continue;
        return sent;
      }
      const wait = refusal.retry_after_ms ?? 0;
      if (refusal.code !== 'network' && (!PASSING.has(refusal.code) || wait > RETRY_AFTER_MS_MAX)) return sent;
      await this.host.sleep(wait + backoff.next());
    }
    return { kind: 'refused', refusal };
  }

  /** Tries one rung of the ladder after the other, until a server has answered. */
  async #round<Answer>(request: UplinkRequest): Promise<Reply<Answer>> {
    const round = new Round(this.#ladder);
    let refused: Reply<Answer> = { kind: 'refused', refusal: { code: 'network', message: '' } };
    let doubted: string | null = null;
    for (let rung = round.connect(RUNGS); rung !== null; ) {
      const sent = await this.#onRung<Answer>(rung, request);
      if (sent.kind === 'accepted') {
        round.reached(rung, 'opened');
        return sent;
      }
      const { code } = sent.refusal;
      const isDoubtful = rung === 'http' && DOUBTFUL.has(code);
      if (code !== 'network' && !isDoubtful) {
        // Where the tunnel confirms a refusal, the network has altered nothing.
        if (doubted !== code) round.reached(rung, 'refused');
        return sent;
      }
      if (isDoubtful) doubted = code;
      if (doubted === null || isDoubtful) refused = sent;
      if (round.carrying === rung) round.ended();
      rung = round.blocked(rung);
    }
    return refused;
  }

  /** Tries one rung at one uplink after the other. */
  async #onRung<Answer>(rung: Rung, request: UplinkRequest): Promise<Reply<Answer>> {
    let sent: Reply<Answer> = { kind: 'refused', refusal: { code: 'network', message: '' } };
    for (const uplink of (await this.route.uplinks()).slice(0, UPLINKS_MAX)) {
      sent = await this.#try<Answer>(rung, uplink, request);
      const code = sent.kind === 'refused' ? sent.refusal.code : null;
      // One that cannot work now is asked last by the next attempt, as is one that is away.
      if (code === 'network' || (code !== null && PASSING.has(code))) this.route.failed(uplink);
      else this.route.answered(uplink);
      if (code !== 'network') return sent;
      this.route.forget();
    }
    return sent;
  }

  async #try<Answer>(rung: Rung, uplink: string, request: UplinkRequest): Promise<Reply<Answer>> {
    try {
      const reply = await (rung === 'http' ? this.#ordinary<Answer>(uplink, request) : this.#tunnelled<Answer>(uplink, request));
      this.#usedAt = performance.now();
      return reply;
    } catch {
      this.#usedAt = -Infinity;
      // Browsers give no reason: only the host that did not answer is known.
      return { kind: 'refused', refusal: { code: 'network', message: new URL(uplink).host } };
    }
  }

  async #ordinary<Answer>(uplink: string, { method, path, body, known }: UplinkRequest): Promise<Reply<Answer>> {
    const { token } = this.credentials;
    const headers: Record<string, string> = token === null ? {} : { Authorization: `Bearer ${token}` };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    // A redirect is the answer of a captive portal.
    const init: RequestInit = { method, headers, redirect: 'error', ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    return this.host.ask(uplink + path, init, TIMEOUT_MS, async (answer) => {
      return read<Answer>('http', known, answer.status, await answer.text(), answer.headers.get('Retry-After'));
    });
  }

  async #tunnelled<Answer>(uplink: string, { method, path, body, known }: UplinkRequest): Promise<Reply<Answer>> {
    const { token } = this.credentials;
    const inside = encodeRequest({ method, path, ...(token === null ? {} : { token }), ...(body === undefined ? {} : { body }) });
    const headers = { 'Content-Type': 'application/octet-stream' };
    return this.host.ask(`${uplink}/v1/tunnel`, { method: 'POST', headers, body: inside, redirect: 'error' }, TIMEOUT_MS, async (answer) => {
      if (answer.ok) {
        const inner = decodeAnswer(await answer.arrayBuffer());
        return read<Answer>('tunnel', known, inner.status, JSON.stringify(inner.body), null);
      }
      const reply = read<Answer>('tunnel', known, answer.status, await answer.text(), answer.headers.get('Retry-After'));
      // A server without the tunnel says nothing about the request.
      if (reply.kind === 'refused' && OF_RESOURCE.has(reply.refusal.code)) throw new TypeError(reply.refusal.message);
      return reply;
    });
  }
}

/** Reads an answer. One that no server of Barrage gave throws, or becomes `bad_request` where it lasts. */
function read<Answer>(
  rung: Rung,
  known: string | undefined,
  status: number,
  body: string,
  retryAfter: string | null,
): Reply<Answer> {
  const seconds = Number(retryAfter);
  const after = seconds > 0 ? { retry_after_ms: seconds * 1000 } : {};
  const json = parse(body);
  if (status >= 200 && status < 300) {
    if (!json || (known !== undefined && json[known] === undefined)) throw new TypeError('not an answer of Barrage');
    return { kind: 'accepted', answer: json as unknown as Answer };
  }
  const error = json?.['error'] as Refusal | undefined;
  if (typeof error?.code === 'string') return { kind: 'refused', refusal: { ...after, ...error } };
  // On the tunnel the status of a proxy shows nothing about the post.
  const passes = rung === 'tunnel' || status >= 500 || status === 408 || status === 429;
  if (passes) throw new TypeError(`status ${status}`);
  return { kind: 'refused', refusal: { code: 'bad_request', message: `status ${status}`, ...after } };
}

function parse(body: string): Record<string, unknown> | null {
  try {
    const json: unknown = JSON.parse(body);
    return typeof json === 'object' ? (json as Record<string, unknown> | null) : null;
  } catch {
    return null;
  }
}
