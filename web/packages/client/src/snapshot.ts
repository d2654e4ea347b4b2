// A room as one value for frameworks that render values: at most one new snapshot a frame, with the last
// messages in a bounded ring. The room is joined with the first subscriber and closed with the last.

import type { State } from './downlink/states.ts';
import type { RoomMessage, RoomView } from './events.ts';
import { join, type JoinOptions, type Room } from './join.ts';
import type { Custom, Signal, Written } from './protocol/bodies.ts';

/** Messages that a snapshot has, unless the caller wants another number. */
const MESSAGES_MAX = 200;
/** Time between two snapshots where there are no frames: in Node.js and in workers. */
const FRAME_MS = 16;

/** A message of a user, or of the customer's servers. Signals are not among them: they are carried out. */
export type ShownMessage = RoomMessage & { body: Written | Custom };

/** A room at one moment. A new snapshot is a new object; parts that did not change stay the same objects. */
export interface Snapshot {
  readonly state: State;
  /** The last messages, oldest first. Recalled, purged and cleared ones are gone. */
  readonly messages: readonly ShownMessage[];
  readonly roomState: RoomView;
  readonly online: number | null;
  readonly user: string | null;
  readonly canSend: boolean;
  /** Chat messages that did not arrive, since the room was joined. */
  readonly lost: number;
}

/** Snapshot before the room is joined, which is what a server renders. */
export const EMPTY: Snapshot = Object.freeze({
  state: { kind: 'connecting', sinceMs: 0, reason: { code: 'start', message: '' } },
  messages: [],
  roomState: { settings: {}, pinned: null, poll: null, attributes: {}, super_chats: [] },
  online: null,
  user: null,
  canSend: false,
  lost: 0,
} satisfies Snapshot);

export interface StoreOptions extends JoinOptions {
  /** Messages to keep. Default: 200. */
  limit?: number | undefined;
}

export class RoomStore {
  #room: Room | null = null;
  #subscribers = new Set<() => void>();
  #snapshot = EMPTY;
  #messages: ShownMessage[] = [];
  #lost = 0;
  #cancel: (() => void) | null = null;

  /** `options` is asked for each join, so that the newest token function is used. */
  constructor(private readonly options: () => StoreOptions) {}

  /** Room that is joined; null without a subscriber. */
  get room(): Room | null {
    return this.#room;
  }

  /** Returns the present snapshot: the same object until something changes. */
  readonly get = (): Snapshot => this.#snapshot;

  /** Calls back behind each new snapshot. Returns the function that ends it. */
  readonly subscribe = (changed: () => void): (() => void) => {
    const own = (): void => changed();
    this.#subscribers.add(own);
    if (!this.#room) this.#open();
    return () => {
      this.#subscribers.delete(own);
      if (this.#subscribers.size === 0) this.#close();
    };
  };

  #open(): void {
    const { limit = MESSAGES_MAX, ...options } = this.options();
    const room = join(options);
    this.#room = room;
    this.#messages = [];
    this.#lost = 0;
    const later = (): void => this.#later();
    for (const type of ['state', 'hello', 'roomState', 'pulse'] as const) room.on(type, later);
    room.on('loss', ({ count }) => {
      this.#lost += count;
      later();
    });
    room.on('batch', ({ messages }) => {
      let kept = this.#messages;
      for (const message of messages) kept = next(kept, message);
      this.#messages = kept.slice(-limit);
      later();
    });
    this.#later();
  }

  #close(): void {
    this.#room?.close();
    this.#room = null;
    // The end of the room is a state, which asks for a frame.
    this.#cancel?.();
    this.#cancel = null;
  }

  /** Makes a snapshot with the next frame. */
  #later(): void {
    this.#cancel ??= onFrame(() => {
      this.#cancel = null;
      this.#take();
    });
  }

  #take(): void {
    if (!this.#room) return;
    const { state, roomState, online, user, canSend } = this.#room;
    this.#snapshot = { state, roomState, online, user, canSend, messages: this.#messages, lost: this.#lost };
    for (const changed of [...this.#subscribers]) changed();
  }
}

/** Returns the messages behind one more. */
function next(messages: ShownMessage[], message: RoomMessage): ShownMessage[] {
  const { body } = message;
  return body.type === 'signal' ? without(messages, message.sequence, body) : [...messages, { ...message, body }];
}

/** Returns the messages that a signal leaves. */
function without(messages: ShownMessage[], at: number, { signal, sequence, user }: Signal): ShownMessage[] {
  switch (signal) {
    case 'recall':
      return messages.filter((message) => message.sequence !== sequence);
    case 'purge':
      return messages.filter((message) => message.sequence > at || !('user' in message.body) || message.body.user !== user);
    case 'clear':
      return messages.filter((message) => message.sequence > at);
    default:
      return messages;
  }
}

function onFrame(act: () => void): () => void {
  if (typeof requestAnimationFrame === 'function') {
    const frame = requestAnimationFrame(act);
    return () => cancelAnimationFrame(frame);
  }
  const timer = setTimeout(act, FRAME_MS);
  return () => clearTimeout(timer);
}
