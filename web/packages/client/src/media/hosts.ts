// The media hosts of a room, as entry names them. A page that only watches never asks.

import type { Fetch } from '../host.ts';
import { within } from './waiting.ts';

/** Longest wait for an entry. */
const WAIT_MS = 5_000;
const HOSTS_MAX = 16;

/** Where media are, and how to upload. */
export interface MediaHosts {
  /** Base URLs, the nearest first. None where the server takes no media. */
  hosts: string[];
  /** Bytes of one request of an upload that entry advises. */
  pieceBytes?: number;
}

/** Asks one entry after the other. Rejects when none answers. */
export async function mediaHosts(entries: readonly string[], room: string, ask: Fetch = (url, init) => fetch(url, init)): Promise<MediaHosts> {
  const type = (globalThis as { navigator?: { connection?: { type?: string } } }).navigator?.connection?.type ?? '';
  const network = ['wifi', 'cellular', 'ethernet'].includes(type) ? `&network=${type}` : '';
  let failure: unknown = new TypeError('no entry is named');
  for (const entry of entries) {
    const url = new URL(`/v1/entry?room=${encodeURIComponent(room)}&purpose=send${network}`, entry).href;
    try {
      return await within(WAIT_MS, undefined, async (signal) => {
        const answer = await ask(url, { cache: 'no-store', signal });
        if (!answer.ok) throw new TypeError(`entry answered ${answer.status}`);
        return read(((await answer.json()) as { media?: unknown } | null)?.media, url);
      });
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

function read(media: unknown, base: string): MediaHosts {
  const { hosts, piece_bytes: bytes } = (media ?? {}) as { hosts?: unknown; piece_bytes?: unknown };
  const named = (Array.isArray(hosts) ? hosts : []).filter((url): url is string => typeof url === 'string' && URL.canParse(url, base));
  const urls = named.map((url) => new URL(url, base)).filter(({ protocol }) => protocol === 'https:' || protocol === 'http:');
  const pieceBytes = Number.isSafeInteger(bytes) && Number(bytes) > 0 ? { pieceBytes: Number(bytes) } : {};
  return { hosts: urls.slice(0, HOSTS_MAX).map(({ href }) => href.replace(/\/+$/, '')), ...pieceBytes };
}
