// Calls of one room at its uplinks, with the moderator's token.

import { ApiFailure } from '@barrage/ui/api.ts';
import { type Call, type Refused, type Room } from '@barrage/client';
import { type Medium } from '@barrage/client/media';
import { type Action, type ActionAnswer } from './action.ts';

/** Tries of one change under the same id, while no answer comes. The server does it once. */
const TRIES = 3;

export interface Review {
  id: string;
  kind: 'message' | 'report';
  user: string;
  rule: string;
  detail: string;
  /** Part of the text that the rule found. */
  matched?: string;
  message?: unknown;
  at_ms: number;
  lock?: { by: string; until_ms: number };
  /** Moment at which the room's fallback decides. */
  fallback_at_ms?: number;
  report?: { count: number; reporters: string[]; sequence?: number; evidence: { sequence: number; message: unknown }[] };
}

export interface ReviewSettings {
  fallback?: 'approve' | 'deny';
  fallback_secs: number;
}

export interface Reviews {
  settings: ReviewSettings;
  reviews: Review[];
  /** Messages that found the queue full. */
  overflowed: number;
}

export type Decision = { decision: 'take' | 'release' | 'approve' } | { decision: 'deny'; reason?: string } | { decision: 'deny_and_mute'; secs: number; reason?: string };

export interface Decided {
  decision: string;
  by: string;
  until_ms?: number;
  sequence?: number;
  duplicate: boolean;
}

export interface WordRule {
  name: string;
  words: string[];
  action: 'mask' | 'refuse' | 'hold' | 'review';
  shadow: boolean;
}

export interface Words {
  version: number;
  rules: WordRule[];
  figures: { name: string; texts: number; hits: number; percent: number; summary: string }[];
}

export interface Tested {
  action?: string;
  text: string;
  hits: { rule: string; action: string; shadow: boolean; matched: string }[];
}

export interface PollInfo {
  id: string;
  question: string;
  options: string[];
  opened_ms: number;
  ends_ms: number;
  votes: number[];
  closed_ms?: number;
}

export interface HistoryMessage {
  sequence: number;
  class: string;
  body: unknown;
}

export interface HistoryPage {
  messages: HistoryMessage[];
  more: boolean;
  next?: { before?: number };
}

/** A picture that a message of the room shows, or showed before it was removed everywhere. */
export interface RoomMedium {
  sequence: number;
  at_ms: number;
  user: string;
  name: string;
  state: 'shown' | 'removed';
  media: Medium;
}

/** A page of the gallery, the newest first. Without `before` there is nothing older. */
export interface RoomMedia {
  media: RoomMedium[];
  before?: number;
}

/** Token for a dock: of this room alone, with its end. */
export interface DockToken {
  token: string;
  room: string;
  role: string;
  expires_at_ms: number;
}

export class RoomApi {
  constructor(private readonly room: Room) {}

  act(action: Action): Promise<ActionAnswer> {
    return this.#surely('POST', 'actions', { id: newId(), action });
  }

  reviews(): Promise<Reviews> {
    return this.#call({ resource: 'reviews' });
  }

  setReviews(settings: ReviewSettings): Promise<unknown> {
    return this.#surely('PUT', 'reviews', settings);
  }

  decide(review: string, decision: Decision): Promise<Decided> {
    return this.#surely('POST', `reviews/${encodeURIComponent(review)}`, decision);
  }

  words(): Promise<Words> {
    return this.#call({ resource: 'words' });
  }

  setWords(version: number, rules: WordRule[]): Promise<Words> {
    return this.#call({ method: 'PUT', resource: 'words', body: { version, rules } });
  }

  testWords(text: string, rules: WordRule[]): Promise<Tested> {
    return this.#surely('POST', 'words/test', { text, rules });
  }

  polls(): Promise<{ polls: PollInfo[] }> {
    return this.#call({ resource: 'polls' });
  }

  openPoll(poll: { question: string; options: string[]; secs: number; guests: boolean; words: boolean }): Promise<PollInfo> {
    return this.#surely('POST', 'polls', { id: newId(), ...poll });
  }

  closePoll(id: string): Promise<PollInfo> {
    return this.#surely('POST', `polls/${encodeURIComponent(id)}/close`, undefined);
  }

  /** Asks for a token of this room that lasts so many seconds, or until the own token ends. */
  dockToken(secs: number): Promise<DockToken> {
    return this.#call({ method: 'POST', resource: 'tokens', body: { ttl_secs: secs } });
  }

  /** Reads the messages before a position; the newest ones without it. */
  history(before: number | null, limit: number): Promise<HistoryPage> {
    return this.#call({ resource: `history?limit=${limit}${before === null ? '' : `&before=${before}`}` });
  }

  /** Reads the pictures of messages before a position; the newest ones without it. */
  media(before: number | null, limit: number): Promise<RoomMedia> {
    return this.#call({ resource: `media?limit=${limit}${before === null ? '' : `&before=${before}`}` });
  }

  /** Reads the room's own emotes. A change sends them back as they are. */
  emotes(): Promise<{ emotes: { id: string }[] }> {
    return this.#call({ resource: 'emotes' });
  }

  setEmotes(emotes: { id: string }[]): Promise<unknown> {
    return this.#surely('PUT', 'emotes', { emotes });
  }

  /** Sends a change again under its id while no answer comes. */
  async #surely<T>(method: 'POST' | 'PUT', resource: string, body: unknown): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#call<T>({ method, resource, ...(body === undefined ? {} : { body }) });
      } catch (error) {
        if (!(error instanceof ApiFailure) || error.kind !== 'network' || attempt >= TRIES) throw error;
      }
    }
  }

  async #call<T>(call: Call): Promise<T> {
    const called = await this.room.call<T>(call);
    if (called.kind === 'refused') throw failureOf(called);
    return called.answer;
  }
}

/** Codes of a token that is not accepted any more. */
const UNAUTHORIZED = new Set(['unauthorized', 'token_expired']);
const FORBIDDEN = new Set(['forbidden', 'wrong_room', 'kicked']);
const MISSING = new Set(['unknown_room', 'not_found']);

function failureOf({ code, message, waitMs }: Refused): ApiFailure {
  const of = (): ApiFailure['kind'] => {
    if (UNAUTHORIZED.has(code)) return 'unauthorized';
    if (FORBIDDEN.has(code)) return 'forbidden';
    if (MISSING.has(code)) return 'missing';
    return code === 'network' ? 'network' : 'refused';
  };
  return new ApiFailure(of(), code, message, waitMs ?? null);
}

function newId(): string {
  return `mod-${Date.now().toString(36)}-${crypto.getRandomValues(new Uint32Array(2)).join('-')}`;
}
