// Hashes by WebCrypto, which browsers compute beside the page's thread. A page without a secure context has none: its
// uploads go without checksums.

/** Bytes that one range of a challenge has at most. */
const RANGE_BYTES_MAX = 1 << 20;

export interface Challenge {
  /** Key of the HMAC in hexadecimal digits. */
  nonce: string;
  ranges: { start: number; length: number }[];
}

/** Whether this page can compute hashes. */
export function canHash(): boolean {
  return (globalThis.crypto as Crypto | undefined)?.subtle !== undefined;
}

/** Returns the SHA-256 of bytes. */
export async function sha256(bytes: Blob): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', await bytes.arrayBuffer()));
}

/** Answers a challenge: HMAC-SHA-256 under the nonce over the ranges of the file, in hexadecimal digits. */
export async function prove(file: Blob, { nonce, ranges }: Challenge): Promise<string | null> {
  const asked = ranges.every(({ start, length }) => length > 0 && length <= RANGE_BYTES_MAX && start >= 0 && start + length <= file.size);
  const secret = Uint8Array.from(nonce.match(/[0-9a-f]{2}/g) ?? [], (digits) => Number.parseInt(digits, 16));
  if (!asked || ranges.length > 8 || secret.length === 0) return null;
  const key = await crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  const bytes = new Blob(ranges.map(({ start, length }) => file.slice(start, start + length)));
  return hex(new Uint8Array(await crypto.subtle.sign('HMAC', key, await bytes.arrayBuffer())));
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function base64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
}
