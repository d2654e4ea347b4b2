// What the browser knows of the network, and what that means for media: bytes of a piece, and bytes ahead.

import { within } from './waiting.ts';

/** State of the network as far as the browser tells. */
export interface Network {
  /** Whether the user asked for fewer bytes. */
  saveData: boolean;
  speed: 'slow' | 'good' | 'wired';
}

const KIB = 1_024;
/** Bytes of a piece by speed: a piece that is cut is sent again whole. */
const CHUNK_BYTES = { slow: 256 * KIB, good: 1_024 * KIB, wired: 2_048 * KIB };
/** Bytes of a clip that are loaded ahead at most, and the seconds that they should last. */
const AHEAD_BYTES = 512 * KIB;
const AHEAD_SECS = 3;
/** Wait for the bytes ahead: later they would arrive beside those of the player. */
const AHEAD_MS = 10_000;

interface Connection {
  saveData?: boolean;
  effectiveType?: string;
  type?: string;
}

/** Reads the state of the network. Where the browser tells nothing, it counts as good. */
export function networkOf(navigator = (globalThis as { navigator?: unknown }).navigator): Network {
  const { saveData = false, effectiveType, type } = (navigator as { connection?: Connection } | undefined)?.connection ?? {};
  const isSlow = effectiveType !== undefined && effectiveType !== '4g';
  return { saveData, speed: isSlow ? 'slow' : type === 'ethernet' ? 'wired' : 'good' };
}

/** Returns the bytes of a piece: those that the server advises, else by the speed of the network. */
export function chunkBytesOf({ speed }: Network, advice?: number): number {
  return advice !== undefined && advice >= CHUNK_BYTES.slow ? Math.min(advice, 16 * CHUNK_BYTES.good) : CHUNK_BYTES[speed];
}

/**
 * Returns the bytes of a clip to load before the user asks for it: three seconds where the duration is known, 512 KB
 * at most, and none where the network is slow or the user saves data.
 */
export function preloadBytesOf(length: number, durationSecs: number | null, { saveData, speed }: Network): number {
  if (saveData || speed === 'slow' || !(length > 0)) return 0;
  const wanted = durationSecs !== null && durationSecs > 0 ? Math.ceil((length / durationSecs) * AHEAD_SECS) : AHEAD_BYTES;
  return Math.min(wanted, AHEAD_BYTES, length);
}

/** Loads the first bytes of an address into the browser's cache. Never rejects. Returns the bytes that came. */
export async function preload(url: string, bytes: number, signal?: AbortSignal): Promise<number> {
  if (bytes <= 0) return 0;
  try {
    return await within(AHEAD_MS, signal, async (until) => {
      const answer = await fetch(url, { headers: { Range: `bytes=0-${bytes - 1}` }, signal: until });
      if (answer.status === 206) return (await answer.arrayBuffer()).byteLength;
      // A server that ignores the range would send everything.
      await answer.body?.cancel();
      return 0;
    });
  } catch {
    return 0;
  }
}
