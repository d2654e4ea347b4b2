// Loads the messages that were sent before the page was opened.

import { type Entry } from './entry.ts';
import { type Identity } from './identity.ts';
import { readBody, type Body } from './protocol.ts';

/** Messages to load, at most. */
const PAST_MAX = 30;
const TIMEOUT_MS = 8_000;

export type Past = { body: Exclude<Body, { type: 'signal' }>; sequence: number }[];

/** Returns the last messages up to the sequence, or none when no uplink answers. */
export async function past(room: string, sequence: number, identity: Identity, entry: Entry): Promise<Past> {
  const query = `/v1/rooms/${encodeURIComponent(room)}/history?before=${sequence + 1}&limit=${PAST_MAX}`;
  const headers: Record<string, string> = identity.token ? { Authorization: `Bearer ${identity.token}` } : {};
  for (const uplink of await entry.uplinks()) {
    try {
      const answer = await fetch(uplink + query, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
      if (!answer.ok) continue;
      const { messages } = (await answer.json()) as { messages: { sequence: number; body: unknown }[] };
      return messages.flatMap(({ sequence: at, body: raw }) => {
        const body = readBody(raw);
        return body && body.type !== 'signal' ? [{ body, sequence: at }] : [];
      });
    } catch {
      // The next uplink may answer.
    }
  }
  return [];
}
