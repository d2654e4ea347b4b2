// Posts messages to the uplink. A retry uses the same message id, so that the server counts it once.

import { Backoff, sleep } from './backoff.ts';
import { type Entry } from './entry.ts';
import { type Identity } from './identity.ts';
import { type Post, type PostAnswer, type Refusal } from './protocol.ts';

const TIMEOUT_MS = 8_000;
const ATTEMPTS_MAX = 5;
/** Longest wait that the sender accepts for a retry. For a longer one the viewer decides. */
const RETRY_AFTER_MS_MAX = 5_000;
/** Refusals that a retry may pass. Limits are not among them: the viewer waits for them. */
const PASSING = new Set(['overloaded', 'unavailable', 'timeout', 'internal']);

export type Sent = { kind: 'accepted'; answer: PostAnswer } | { kind: 'refused'; refusal: Refusal };

export class Sender {
  #path: string;

  constructor(
    room: string,
    private readonly identity: Identity,
    private readonly entry: Entry,
  ) {
    this.#path = `/v1/rooms/${encodeURIComponent(room)}/messages`;
  }

  async post(post: Post): Promise<Sent> {
    const backoff = new Backoff(400, 4_000);
    let renewed = false;
    let refusal: Refusal = { code: 'network', message: '' };
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const uplinks = await this.entry.uplinks();
      const sent = await this.#try(uplinks[attempt % uplinks.length] + this.#path, post);
      if (sent.kind === 'accepted') return sent;
      refusal = sent.refusal;
      if (!renewed && (refusal.code === 'token_expired' || refusal.code === 'unauthorized')) {
        renewed = true;
        if (await this.identity.renew().catch(() => false)) continue;
        return sent;
      }
      const wait = refusal.retry_after_ms ?? 0;
      if (refusal.code !== 'network' && (!PASSING.has(refusal.code) || wait > RETRY_AFTER_MS_MAX)) return sent;
      if (refusal.code === 'network') this.entry.forgetUplinks();
      await sleep(wait + backoff.next());
    }
    return { kind: 'refused', refusal };
  }

  async #try(url: string, post: Post): Promise<Sent> {
    try {
      const answer = await fetch(url, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${this.identity.token ?? ''}` },
        body: JSON.stringify(post),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (answer.ok) return { kind: 'accepted', answer: (await answer.json()) as PostAnswer };
      return { kind: 'refused', refusal: await readRefusal(answer) };
    } catch {
      // Browsers give no reason: only the host that did not answer is known.
      return { kind: 'refused', refusal: { code: 'network', message: new URL(url, location.href).host } };
    }
  }
}

/** Reads a refusal. An answer of a proxy in between becomes `unavailable` or `bad_request`. */
async function readRefusal(answer: Response): Promise<Refusal> {
  const seconds = Number(answer.headers.get('Retry-After'));
  const after = seconds > 0 ? { retry_after_ms: seconds * 1000 } : {};
  try {
    const body = (await answer.json()) as { error: Refusal };
    if (typeof body.error.code === 'string') return { ...after, ...body.error };
  } catch {
    // Not an answer of the server.
  }
  return { code: answer.status >= 500 ? 'unavailable' : 'bad_request', message: answer.statusText, ...after };
}

/** Returns a random message id. Works without a secure context, unlike `crypto.randomUUID`. */
export function messageId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
