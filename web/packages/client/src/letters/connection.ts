// A connection for the inbox alone, for a page without a room: in no room's audience, and with the transports, the
// heartbeat and the reconnects of a room.

import type { TokenSource } from '../credentials.ts';
import type { RoomEvents } from '../events.ts';
import { Host, type HostOptions } from '../host.ts';
import { Room } from '../join.ts';

export interface ConnectOptions extends HostOptions {
  /** Base URLs of entry, in the order to ask. Default: the origin of the page. */
  entry?: string | readonly string[] | undefined;
  /** Token of the user, called before every connect; any room of it will do. A guest has no inbox. */
  token: TokenSource;
}

/** Events of a connection that has mail. */
export type MailEvents = Pick<RoomEvents, 'state' | 'hello' | 'mail'>;

/** What an inbox needs: a room, or a connection for the inbox alone. */
export interface MailSource extends Pick<Room, 'state' | 'user' | 'call' | 'attach'> {
  /** Whether the connection is attached by itself, and event streams bring bells, so that nothing is asked by a timer. */
  readonly rings?: boolean;
  on<Type extends keyof MailEvents>(type: Type, listener: (event: MailEvents[Type]) => void): () => void;
}

/** A connection for the inbox alone. It connects by itself, and reconnects until it is closed. */
export interface InboxConnection extends MailSource, Pick<Room, 'retry' | 'close'> {
  readonly rings: true;
}

/** What the addresses of entry have in the place of a room, where they are for any room. */
const ANY_ROOM = '{room}';

/** Surroundings without a room: addresses are those of the inbox, and entry is asked for any gateway. */
class InboxHost extends Host {
  /** The inbox has no polls of a gateway. */
  override readonly transports = ['ws', 'sse'] as const;

  override url(path: string): URL {
    return super.url(path.replace(/\/rooms\/(\{room\}|%7Broom%7D)\//, '/inbox/'));
  }

  override ask<T>(url: string, init: RequestInit, waitMs: number, read: (answer: Response) => T | Promise<T>): Promise<T> {
    return super.ask(url.replace(/\/v1\/entry\?.*/, '/v1/entry/fallback'), init, waitMs, read);
  }
}

/** A room without an audience and messages: what remains is the connection. */
class Lobby extends Room implements InboxConnection {
  readonly rings = true;

  constructor(options: ConnectOptions) {
    super({ ...options, room: ANY_ROOM }, InboxHost);
  }

  /** Does nothing: the connection is attached while it is open. */
  override attach(): void {}
}

/** Connects for the inbox alone. */
export function connectInbox(options: ConnectOptions): InboxConnection {
  return new Lobby(options);
}
