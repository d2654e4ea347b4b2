// What the parts of a connection that are loaded later need of it.

import type { Channel } from './channel.ts';
import type { Reason, Where } from './states.ts';
import type { Credentials } from '../credentials.ts';
import type { Dialer } from './dialer.ts';
import type { Endpoint } from './channel.ts';
import type { Entry } from '../entry/entry.ts';
import type { Host } from '../host.ts';
import type { Opening, Outcome } from './opening.ts';

/** An attempt beside the channel that carries. */
export interface Next {
  kind: 'move' | 'probe';
  opening: Opening;
}

export interface Hands {
  readonly host: Host;
  readonly room: string;
  readonly credentials: Credentials;
  readonly entry: Entry;
  readonly dialer: Dialer;
  readonly outcome: Outcome;
  /** Channel that carries; null while none does. */
  readonly link: Channel | null;
  next: Next | null;
  state(where: Where, reason: Reason): void;
  /** Returns the endpoints to connect to, after the wait for this viewer's slot. */
  endpoints(reason: Reason): Promise<Endpoint[]>;
  /** Connects again behind the end of a visit. */
  comeBack(): void;
}
