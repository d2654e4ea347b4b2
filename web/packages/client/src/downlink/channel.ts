// A connection to one gateway over any transport: frames come in, and a few go out.

import type { Heart } from '../heartbeat/heart.ts';
import type { Host } from '../host.ts';
import type { ClientFrame, ServerFrame } from '../protocol/frames.ts';

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
  heart: Heart;
  url: string;
  /** Returns token and position, which may change until the connection is open. */
  join: () => Join;
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
