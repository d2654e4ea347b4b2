// What a member of a room sends and asks: posts, actions, votes, reports, the history and the emotes. It is
// loaded with the first of them, because a viewer that only watches needs none.

import type { Credentials } from '../credentials.ts';
import type { Entry } from '../entry/entry.ts';
import type { Host } from '../host.ts';
import { readBody } from '../protocol/bodies.ts';
import type { PostAnswer, Refusal } from '../protocol/frames.ts';
import { Route } from './route.ts';
import { Sender, type Reply, type UplinkRequest } from './sender.ts';
import type { Action, Acted, Call, Called, Emote, History, HistoryQuery, Post, Refused, Report, Reported, Sent, Voted } from './requests.ts';

/** Emotes of both sets that are read; the server allows 11,000. */
const EMOTES_MAX = 11_000;

export class Uplink {
  #sender: Sender;
  #path: string;

  constructor(
    host: Host,
    private readonly credentials: Credentials,
    entry: Entry,
    room: string,
  ) {
    this.#sender = new Sender(host, credentials, new Route(host, entry));
    this.#path = `/v1/rooms/${encodeURIComponent(room)}`;
  }

  /** Opens the connection of the next request ahead. */
  warm(): Promise<void> {
    return this.#sender.warm();
  }

  async send(post: Post): Promise<Sent> {
    const id = post.id ?? messageId();
    const reply = await this.#ask<PostAnswer>('POST', '/messages', { ...post, id }, 'outcome');
    if (reply.kind === 'refused') return { ...refused(reply.refusal), id };
    const { outcome, sequence, limit, vote, review } = reply.answer;
    if (outcome === 'held') return { kind: 'held', id, rule: limit?.rule ?? '', ...(limit ? { limit } : {}), ...(review ? { review } : {}) };
    return { kind: 'broadcast', id, sequence: sequence ?? null, ...(vote ? { vote } : {}) };
  }

  async act(action: Action, { id = messageId(), reason }: { id?: string; reason?: string } = {}): Promise<Acted> {
    const body = { id, action, ...(reason === undefined ? {} : { reason }) };
    const reply = await this.#ask<{ sequence?: number; until_ms?: number; duplicate?: boolean }>('POST', '/actions', body, 'id');
    if (reply.kind === 'refused') return { ...refused(reply.refusal), id };
    const { sequence, until_ms, duplicate } = reply.answer;
    return { kind: 'done', id, sequence: sequence ?? null, untilMs: until_ms ?? null, isDuplicate: duplicate === true };
  }

  async vote(poll: string, option: number): Promise<Voted> {
    const reply = await this.#ask<{ option: number }>('POST', `/polls/${encodeURIComponent(poll)}/votes`, { option }, 'option');
    return reply.kind === 'refused' ? refused(reply.refusal) : { kind: 'counted', poll, option: reply.answer.option };
  }

  async report(report: Report): Promise<Reported> {
    const reply = await this.#ask<{ review: string }>('POST', '/reports', report, 'review');
    return reply.kind === 'refused' ? refused(reply.refusal) : { kind: 'reported', review: reply.answer.review };
  }

  async history({ before, after, fromMs, toMs, limit }: HistoryQuery): Promise<History> {
    const query = Object.entries({ before, after, from_ms: fromMs, to_ms: toMs, limit })
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name}=${value}`);
    const reply = await this.#ask<Page>('GET', `/history?${query.join('&')}`, undefined, 'messages');
    if (reply.kind === 'refused') return { messages: [], more: false, next: null, refusal: refused(reply.refusal) };
    const { messages, more, next } = reply.answer;
    const { before: earlier, after: later, from_ms } = next ?? {};
    const link = { ...known('before', earlier), ...known('after', later), ...known('fromMs', from_ms) };
    return { messages: messages.flatMap(readMessage), more: more === true, next: more && next ? link : null, refusal: null };
  }

  async call<Answer>({ method = 'GET', resource = '', path, body }: Call): Promise<Called<Answer>> {
    const reply = await this.#request<Answer>({ method, path: path ?? `${this.#path}/${resource}`, body });
    return reply.kind === 'refused' ? refused(reply.refusal) : { kind: 'answered', answer: reply.answer };
  }

  /** Emotes of the platform, and behind them those of the room, which go first. None where no uplink answers. */
  async emotes(): Promise<Emote[]> {
    await this.#signIn();
    const sets = ['/v1/emotes', `${this.#path}/emotes`].map(async (path) => {
      const reply = await this.#sender.send<{ emotes: unknown }>({ method: 'GET', path, known: 'emotes' });
      return reply.kind === 'accepted' && Array.isArray(reply.answer.emotes) ? (reply.answer.emotes as unknown[]) : [];
    });
    const all = (await Promise.all(sets)).flat().slice(0, EMOTES_MAX);
    return all.flatMap(readEmote);
  }

  #ask<Answer>(method: UplinkRequest['method'], path: string, body?: unknown, known?: string): Promise<Reply<Answer>> {
    return this.#request({ method, path: this.#path + path, body, ...(known === undefined ? {} : { known }) });
  }

  async #request<Answer>(request: UplinkRequest): Promise<Reply<Answer>> {
    try {
      await this.#signIn();
      return await this.#sender.send<Answer>(request);
    } catch (error) {
      // The room is closed, or the caller's function has no token.
      return { kind: 'refused', refusal: { code: 'network', message: String(error) } };
    }
  }

  /** A request before the first connect asks for the token itself. */
  async #signIn(): Promise<void> {
    if (!this.credentials.isKnown) await this.credentials.fetch();
  }
}

interface Page {
  messages: { sequence?: unknown; at_ms?: unknown; offset_ms?: unknown; body?: unknown }[];
  more?: boolean;
  next?: { before?: number; after?: number; from_ms?: number };
}

function readMessage({ sequence, at_ms, offset_ms, body: raw }: Page['messages'][number]): History['messages'] {
  const body = readBody(raw);
  if (!body || typeof sequence !== 'number') return [];
  return [{ sequence, body, atMs: Number(at_ms ?? 0), offsetMs: typeof offset_ms === 'number' ? offset_ms : null }];
}

function readEmote(value: unknown): Emote[] {
  const { id, name, url, px, animated } = (value ?? {}) as Record<string, unknown>;
  if (typeof id !== 'string' || typeof name !== 'string' || typeof url !== 'string' || !Array.isArray(px)) return [];
  const heights = px.filter((one): one is number => Number.isInteger(one) && one > 0);
  return [{ id, name, url, px: heights, animated: animated === true }];
}

function known<Name extends string>(name: Name, value: number | undefined): Partial<Record<Name, number>> {
  return value === undefined ? {} : ({ [name]: value } as Record<Name, number>);
}

function refused({ code, message, retry_after_ms, limit }: Refusal): Refused {
  return { kind: 'refused', code, message, ...known('waitMs', retry_after_ms), ...(limit ? { limit } : {}) };
}

/** Digits of message ids, 5 bits each. */
const ID_DIGITS = '0123456789abcdefghijklmnopqrstuv';

/**
 * Returns a random message id of 40 bits. Ids are unique within one sender and room, so that more would be
 * bytes on the wire to every viewer alone. Works without a secure context, unlike `crypto.randomUUID`.
 */
export function messageId(): string {
  const bytes = new Uint8Array(8);
  // A mini program has no `crypto`: ids need to be unique within one sender and room alone.
  if (globalThis.crypto) crypto.getRandomValues(bytes);
  else bytes.forEach((_, index) => (bytes[index] = Math.random() * 256));
  return Array.from(bytes, (byte) => ID_DIGITS[byte & 31]).join('');
}
