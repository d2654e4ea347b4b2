// Framing of the tunnel: a length of four bytes in big-endian order, then that many bytes of JSON.

/** Methods of requests to an uplink. */
export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface Inner {
  method: Method;
  path: string;
  token?: string;
  body?: unknown;
}

/** Writes the body of a tunnel with one request. */
export function encodeRequest(inner: Inner): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(JSON.stringify(inner));
  const bytes = new Uint8Array(4 + json.length);
  new DataView(bytes.buffer).setUint32(0, json.length);
  bytes.set(json, 4);
  return bytes;
}

/** Reads the answer to one request. Throws for anything else. */
export function decodeAnswer(bytes: ArrayBuffer): { status: number; body: unknown } {
  const length = new DataView(bytes).getUint32(0);
  if (length !== bytes.byteLength - 4) throw new RangeError('the length is not that of one answer');
  const answer = JSON.parse(new TextDecoder().decode(bytes.slice(4))) as { status?: unknown; body?: unknown } | null;
  if (typeof answer?.status !== 'number') throw new TypeError('an answer without a status');
  return { status: answer.status, body: answer.body };
}
