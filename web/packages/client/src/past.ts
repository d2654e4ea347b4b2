// Loads the messages that were sent before the page was opened.

import { type Entry } from './entry.ts';
import { type Identity } from './identity.ts';
import { readBody, type Written } from './protocol.ts';
import { DOUBTFUL } from './sender.ts';
import { decodeAnswer, encodeRequest } from './tunnel.ts';

/** Messages to load, at most. */
const PAST_MAX = 30;
const TIMEOUT_MS = 8_000;

export type Past = { body: Written; sequence: number }[];

/** Uplinks that are asked on one way before the next way. */
const UPLINKS_MAX = 2;

/**
 * Returns the last messages up to the sequence, or none when no uplink answers. Where the network blocks or
 * changes ordinary requests, the history comes through the tunnel.
 */
export async function past(room: string, sequence: number, identity: Identity, entry: Entry): Promise<Past> {
  const path = `/v1/rooms/${encodeURIComponent(room)}/history?before=${sequence + 1}&limit=${PAST_MAX}`;
  const uplinks = (await entry.uplinks()).slice(0, UPLINKS_MAX);
  for (const way of [ordinary, tunnelled]) {
    for (const uplink of uplinks) {
      try {
        const { status, body } = await way(uplink, path, identity.token);
        const { messages, error } = (body ?? {}) as { messages?: { sequence: number; body: unknown }[]; error?: { code?: string } };
        if (status === 200 && Array.isArray(messages)) return messages.flatMap(readMessage);
        // A server refused, and a proxy cannot have caused it: the tunnel would get the same.
        if (typeof error?.code === 'string' && !DOUBTFUL.has(error.code)) return [];
      } catch {
        // The next uplink, or the next way, may answer.
      }
    }
  }
  return [];
}

interface Answer {
  status: number;
  body: unknown;
}

async function ordinary(uplink: string, path: string, token: string | null): Promise<Answer> {
  const headers: Record<string, string> = token ? { Authorization: `Bearer ${token}` } : {};
  const answer = await fetch(uplink + path, { headers, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) });
  return { status: answer.status, body: await answer.json() };
}

async function tunnelled(uplink: string, path: string, token: string | null): Promise<Answer> {
  const answer = await fetch(`${uplink}/v1/tunnel`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/octet-stream' },
    body: encodeRequest({ method: 'GET', path, ...(token ? { token } : {}) }),
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  return answer.ok ? decodeAnswer(await answer.arrayBuffer()) : { status: answer.status, body: await answer.json() };
}

function readMessage({ sequence, body: raw }: { sequence: number; body: unknown }): Past {
  const body = readBody(raw);
  return body && body.type !== 'signal' && body.type !== 'event' ? [{ body, sequence }] : [];
}
