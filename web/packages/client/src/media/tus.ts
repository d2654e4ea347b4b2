// The requests of tus 1.0, and those of Barrage beside them. Each is sent once; the upload decides what follows.

import type { TokenSource } from '../credentials.ts';
import type { Fetch } from '../host.ts';
import { base64, sha256, canHash, type Challenge } from './digest.ts';
import type { Medium } from './medium.ts';
import { within } from './waiting.ts';

/** Longest wait for an answer to a request without bytes. */
const WAIT_MS = 15_000;
/** Longest wait for the caller's function. */
const TOKEN_WAIT_MS = 15_000;

/** The server, or the way to it, did not take a request. */
export interface Refusal {
  kind: 'refused';
  /** Status of HTTP; 0 where no server answered. */
  status: number;
  /** A code of the server; `network` where none answered, `token` where the caller's function failed. */
  code: string;
  message: string;
  waitMs: number | null;
}

export type Reply<Value> = { kind: 'accepted'; value: Value } | Refusal;

/** What became of an upload. */
export interface Shown {
  state: 'receiving' | 'whole' | 'checking' | 'ready' | 'refused';
  media?: Medium;
  reference?: string;
  refusal?: { code: string; message: string };
}

export type Known = ({ state: 'challenge' } & Challenge) | ({ state: 'known' } & Signed) | { state: 'unknown' };

/** A medium that the caller may send: posts and letters have the reference in `media`, for twelve hours. */
export interface Signed {
  reference: string;
  media: Medium;
}

/** A new upload: its URL, and the Unix time in milliseconds at which the server forgets it. */
export interface Created {
  url: string;
  expiresMs: number;
}

interface Sent {
  method: string;
  url: string;
  fields?: Record<string, string>;
  body?: BodyInit;
  waitMs?: number;
  signal?: AbortSignal | undefined;
}

export class Tus {
  #token: Promise<string> | null = null;

  constructor(
    private readonly source: TokenSource,
    private readonly fetch: Fetch,
  ) {}

  /** Makes the next request ask the caller's function for a token. */
  forgetToken(): void {
    this.#token = null;
  }

  /** Makes an upload. Without a length, that is stated with a later piece. */
  create(host: string, length: number | null, metadata: Record<string, string>, signal: AbortSignal): Promise<Reply<Created>> {
    const fields = { ...(length === null ? { 'Upload-Defer-Length': '1' } : { 'Upload-Length': String(length) }), 'Upload-Metadata': metadataOf(metadata) };
    return this.#send({ method: 'POST', url: `${host}/v1/uploads`, fields, signal }, (answer) => {
      const location = answer.headers.get('Location');
      if (location === null) throw new TypeError('no Location');
      return { url: new URL(location, `${host}/`).href, expiresMs: Date.parse(answer.headers.get('Upload-Expires') ?? '') || 0 };
    });
  }

  /** Returns where an upload continues. */
  offset(url: string, signal: AbortSignal): Promise<Reply<number>> {
    return this.#send({ method: 'HEAD', url, signal }, offsetOf);
  }

  /** Sends bytes with their checksum, and returns the new offset. `length` states that of the whole upload. */
  async append(url: string, offset: number, bytes: Blob, waitMs: number, signal: AbortSignal, length: number | null = null): Promise<Reply<number>> {
    const fields: Record<string, string> = { 'Upload-Offset': String(offset), 'Content-Type': 'application/offset+octet-stream' };
    if (length !== null) fields['Upload-Length'] = String(length);
    try {
      if (canHash()) fields['Upload-Checksum'] = `sha256 ${base64(await sha256(bytes))}`;
    } catch (error) {
      // The file was removed or changed since the user picked it.
      return { kind: 'refused', status: 0, code: 'file', message: String(error), waitMs: null };
    }
    return this.#send({ method: 'PATCH', url, fields, body: bytes, waitMs, signal }, offsetOf);
  }

  show(url: string, signal: AbortSignal): Promise<Reply<Shown>> {
    return this.#send({ method: 'GET', url, signal }, (answer) => answer.json() as Promise<Shown>);
  }

  known(host: string, body: { sha256: string; length: number; nonce?: string; answer?: string }, signal: AbortSignal): Promise<Reply<Known>> {
    const fields = { 'Content-Type': 'application/json' };
    return this.#send({ method: 'POST', url: `${host}/v1/uploads/known`, fields, body: JSON.stringify(body), signal }, (answer) => answer.json() as Promise<Known>);
  }

  /** Asks for a reference to a medium that the caller has uploaded before, or to a public one; a clip may get a cover. */
  reference(host: string, digest: string, cover?: string): Promise<Reply<Signed>> {
    const fields = { 'Content-Type': 'application/json' };
    return this.#send({ method: 'POST', url: `${host}/v1/media/references`, fields, body: JSON.stringify({ digest, cover }) }, (answer) => answer.json() as Promise<Signed>);
  }

  /** Makes a picture the caller's avatar; with null takes the avatar away. */
  avatar(host: string, digest: string | null): Promise<Reply<boolean>> {
    const asked = digest === null ? { method: 'DELETE' } : { method: 'POST', fields: { 'Content-Type': 'application/json' }, body: JSON.stringify({ digest }) };
    return this.#send({ ...asked, url: `${host}/v1/media/avatars` }, () => true);
  }

  /** Ends an upload and removes its bytes. */
  end(url: string): Promise<Reply<void>> {
    return this.#send({ method: 'DELETE', url }, () => undefined);
  }

  async #send<Value>({ method, url, fields = {}, body, waitMs = WAIT_MS, signal }: Sent, read: (answer: Response) => Value | Promise<Value>): Promise<Reply<Value>> {
    let token: string;
    try {
      token = await (this.#token ??= this.#ask());
    } catch (error) {
      this.#token = null;
      return { kind: 'refused', status: 0, code: 'token', message: error instanceof Error ? error.message : String(error), waitMs: null };
    }
    const headers = { Authorization: `Bearer ${token}`, 'Tus-Resumable': '1.0.0', ...fields };
    // A redirect is the answer of a captive portal.
    const init: RequestInit = { method, headers, redirect: 'error', ...(body === undefined ? {} : { body }) };
    try {
      return await within(waitMs, signal, async (until) => {
        const answer = await this.fetch(url, { ...init, signal: until });
        return answer.ok ? { kind: 'accepted', value: await read(answer) } : await refusalOf(answer);
      });
    } catch (error) {
      return { kind: 'refused', status: 0, code: 'network', message: String(error), waitMs: null };
    }
  }

  async #ask(): Promise<string> {
    const token = await within(TOKEN_WAIT_MS, undefined, (signal) => {
      const late = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(new Error('token() gave no answer in time'))));
      return Promise.race([this.source({ signal }), late]);
    });
    if (!token) throw new TypeError('token() returned no token, and uploads need one');
    return token;
  }
}

function offsetOf(answer: Response): number {
  const text = answer.headers.get('Upload-Offset') ?? '';
  if (!/^\d{1,16}$/.test(text)) throw new TypeError('no Upload-Offset');
  return Number(text);
}

async function refusalOf(answer: Response): Promise<Refusal> {
  // An answer to HEAD has no body, and one of a proxy is none of Barrage.
  const json = (await answer.json().catch(() => null)) as { error?: { code?: string; message?: string; retry_after_ms?: number } } | null;
  const secs = Number(answer.headers.get('Retry-After'));
  const { code = `status ${answer.status}`, message = '', retry_after_ms = secs > 0 ? secs * 1_000 : null } = json?.error ?? {};
  return { kind: 'refused', status: answer.status, code, message, waitMs: retry_after_ms };
}

/** Returns pairs as the field Upload-Metadata has them. */
function metadataOf(pairs: Record<string, string>): string {
  const encode = (value: string): string => base64(new TextEncoder().encode(value));
  return Object.entries(pairs).map(([key, value]) => `${key} ${encode(value)}`).join(',');
}
