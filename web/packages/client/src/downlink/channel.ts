// A connection to one gateway over any transport: frames come in, and a few go out.

import { type Keeper } from '../heartbeat/keeper.ts';
import { type Host } from '../host.ts';
import { CLOSE_ABNORMAL, type ClientFrame, type Refusal, type ServerFrame } from '../protocol/frames.ts';

/** Downlink transports, best first. */
export const TRANSPORTS = ['ws', 'sse', 'poll'] as const;
export type Transport = (typeof TRANSPORTS)[number];

export interface Endpoint {
  transport: Transport;
  url: string;
}

export interface Join {
  token: string | null;
  /** Position to resume after; null for a first join. */
  after: number | null;
}

/** What a channel needs to be opened. */
export interface Dial {
  host: Host;
  keeper: Keeper;
  url: string;
  join: Join;
  events: ChannelEvents;
}

/** Calls of a channel: frames in order, then `closed` once. A channel is not used again. */
export interface ChannelEvents {
  frame(channel: Channel, frame: ServerFrame): void;
  closed(channel: Channel, code: number): void;
}

export interface Channel {
  readonly transport: Transport;
  /** Time of the hello in `performance.now()`; null before. */
  readonly joinedAt: number | null;
  send(frame: ClientFrame): void;
  /** Checks whether the gateway still answers. */
  probe(): void;
  /** Closes without a `closed` call. */
  leave(): void;
  /** Abandons the channel as dead, with a `closed` call. */
  abandon(): void;
}

/** Refusals that a proxy may have caused, because it did not pass the whole request on. */
const MISUNDERSTOOD = new Set(['bad_request', 'not_found', 'method_not_allowed', 'upgrade_required']);
/** Close codes of the refusals after which another attempt is no use; docs/reference/errors.md. */
const FINAL = new Map([
  ['unauthorized', 4010],
  ['token_expired', 4011],
  ['wrong_room', 4012],
  ['forbidden', 4013],
  ['unknown_room', 4014],
  ['room_closed', 4015],
  ['kicked', 4016],
  ['too_many_connections', 4023],
]);
const CLOSE_BACKOFF = 4100;

/** Returns the close code of a refusal that came over HTTP; 1006 where a proxy may have caused it. */
export function closeOf(refusal: Refusal): number {
  if (MISUNDERSTOOD.has(refusal.code)) return CLOSE_ABNORMAL;
  return FINAL.get(refusal.code) ?? CLOSE_BACKOFF;
}

/** Reads the refusal in an answer; null for an answer that is not of Barrage. */
export async function refusalOf(answer: Response): Promise<Refusal | null> {
  try {
    const { error } = (await answer.json()) as { error: Refusal };
    return typeof error.code === 'string' ? error : null;
  } catch {
    return null;
  }
}
