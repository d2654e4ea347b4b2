// A media host without a network: uploads of tus in memory, with the faults that a test asks for.

import { createHash, createHmac } from 'node:crypto';

const hash = (bytes) => createHash('sha256').update(bytes).digest();

export class MediaWorld {
  uploads = new Map();
  requests = [];
  /** Faults of the next requests by method: an error, or the answer. */
  faults = {};
  /** Hosts that do not answer. */
  away = new Set();
  tokens = ['first'];
  accepted = 'first';
  /** Whether an upload may be made without a length. */
  defers = true;
  /** Files that the user has uploaded before. */
  owned = [];
  stored = new Map();
  storage = {
    getItem: (key) => this.stored.get(key) ?? null,
    setItem: (key, value) => void this.stored.set(key, value),
  };

  /** Returns what `openMedia` takes. */
  options(more = {}) {
    const token = () => this.tokens[Math.min(this.#asked++, this.tokens.length - 1)];
    return { hosts: ['https://m1.example'], token, fetch: (url, init) => this.fetch(url, init), storage: this.storage, ...more };
  }

  #asked = 0;

  of(method) {
    return this.requests.filter((one) => one.method === method);
  }

  fetch = async (url, init) => {
    const { method, headers, signal } = init;
    const { host, pathname } = new URL(url);
    const body = init.body instanceof Blob ? Buffer.from(await init.body.arrayBuffer()) : init.body;
    const request = { method, host, pathname, headers, body };
    this.requests.push(request);
    if (signal.aborted) throw new DOMException('aborted', 'AbortError');
    if (this.away.has(host)) throw new TypeError('nobody answers');
    const fault = this.faults[method]?.shift();
    if (fault instanceof Error) throw fault;
    if (fault) return typeof fault === 'function' ? fault(request) : fault;
    if (headers.Authorization !== `Bearer ${this.accepted}`) return refusal(401, 'unauthorized');
    return this.#answer(request);
  };

  #answer({ method, host, pathname, headers, body }) {
    if (pathname === '/v1/media/references') return this.#signed(JSON.parse(body));
    if (pathname === '/v1/media/avatars') return method === 'DELETE' ? new Response(null, { status: 204 }) : json({ avatar: JSON.parse(body).digest });
    if (pathname === '/v1/uploads/known') return json(this.#known(JSON.parse(body)));
    if (method === 'POST') {
      if ('Upload-Defer-Length' in headers && !this.defers) return refusal(400, 'bad_request');
      const path = `/v1/uploads/${String(this.uploads.size + 1).padStart(32, '0')}`;
      this.uploads.set(host + path, { length: 'Upload-Defer-Length' in headers ? null : Number(headers['Upload-Length']), metadata: headers['Upload-Metadata'], bytes: Buffer.alloc(0), looks: 0 });
      return new Response(null, { status: 201, headers: { Location: path, 'Upload-Expires': new Date(Date.now() + 3_600_000).toUTCString() } });
    }
    const upload = this.uploads.get(host + pathname);
    if (!upload) return refusal(404, 'not_found');
    const offset = { 'Upload-Offset': String(upload.bytes.length) };
    if (method === 'DELETE') return void this.uploads.delete(host + pathname) ?? new Response(null, { status: 204 });
    if (method === 'HEAD') return new Response(null, { headers: offset });
    if (method === 'GET') return json(this.#shown(upload));
    if (Number(headers['Upload-Offset']) !== upload.bytes.length) return refusal(409, 'conflict');
    if (headers['Upload-Checksum'] !== `sha256 ${hash(body).toString('base64')}`) return refusal(460, 'digest_mismatch');
    if ('Upload-Length' in headers) upload.length = Number(headers['Upload-Length']);
    upload.bytes = Buffer.concat([upload.bytes, body]);
    return new Response(null, { status: 204, headers: { 'Upload-Offset': String(upload.bytes.length) } });
  }

  #shown(upload) {
    if (upload.bytes.length !== upload.length) return { state: 'receiving' };
    upload.looks += 1;
    if (upload.looks < 2) return { state: 'checking' };
    if (upload.bytes.includes('refuse me')) return { state: 'refused', refusal: { code: 'unsupported_media', message: 'this cannot be shown' } };
    return { state: 'ready', reference: 'signed', media: { digest: hash(upload.bytes).toString('hex'), kind: 'file', is_animated: false, variants: [] } };
  }

  #signed({ digest, cover }) {
    const isOwn = this.owned.some((bytes) => hash(bytes).toString('hex') === digest);
    return isOwn ? json({ reference: cover === undefined ? 'signed again' : `signed with ${cover}`, expires_ms: 1, media: { digest, kind: 'image', is_animated: false, variants: [] } }) : refusal(404, 'not_found');
  }

  #known({ sha256, length, nonce, answer }) {
    const ranges = [{ start: 5, length: 10 }, { start: 0, length: 3 }, { start: length - 4, length: 4 }];
    if (answer === undefined) return { state: 'challenge', nonce: '0f'.repeat(16), ranges };
    const file = this.owned.find((bytes) => hash(bytes).toString('hex') === sha256);
    if (!file || nonce !== '0f'.repeat(16)) return { state: 'unknown' };
    const parts = ranges.map(({ start, length: bytes }) => file.subarray(start, start + bytes));
    const right = createHmac('sha256', Buffer.from(nonce, 'hex')).update(Buffer.concat(parts)).digest('hex');
    return answer === right ? { state: 'known', reference: 'signed', media: { digest: sha256, kind: 'file', is_animated: false, variants: [] } } : { state: 'unknown' };
  }
}

export const json = (value) => new Response(JSON.stringify(value));
export const refusal = (status, code, more = {}) => new Response(JSON.stringify({ error: { code, message: code, ...more } }), { status });
