// The card of one user: the last messages, mutes, rules hit, and buttons for all actions on the user.

import { byId, element } from '@barrage/ui/dom.ts';
import { ApiFailure } from '@barrage/ui/api.ts';
import { clock, dateTime, number } from '@barrage/ui/format.ts';
import { inLanguage, isolated } from '@barrage/ui/language.ts';
import { readBody } from '@barrage/client/read';
import { type Action } from '../action.ts';
import { contentOf, nameOf } from '../chat/lines.ts';
import { type Desk } from '../desk.ts';
import { say, t } from '../texts/i18n.ts';
import { type RoomApi } from '../room_api.ts';
import { MESSAGES_MAX, type UserBook, type UserFacts } from '../user_book.ts';

/** Pages of the history that are searched for a user's messages, newest first, and messages in a page. */
const PAGES_MAX = 5;
const PAGE_MESSAGES = 1_000;

export class Card {
  readonly #root = byId('card');
  #user: string | null = null;
  #search = { done: false, messages: 0, problem: '' };
  #turn = 0;

  constructor(
    private readonly api: RoomApi,
    private readonly desk: Desk,
    private readonly book: UserBook,
  ) {
    byId('card-close').addEventListener('click', () => this.close());
    byId<HTMLFormElement>('warn-form').addEventListener('submit', (event) => {
      event.preventDefault();
      const field = byId<HTMLInputElement>('warn-text');
      const text = field.value.trim();
      if (this.#user === null || text === '') return;
      void this.#act({ type: 'warn', user: this.#user, text }, t('didWarn', { user: this.#name })).then((done) => {
        if (done) field.value = '';
      });
    });
    for (const button of byId('card-acts').querySelectorAll<HTMLButtonElement>('button')) {
      button.addEventListener('click', () => this.#press(button.dataset['act'] ?? ''));
    }
    inLanguage(() => this.refresh());
  }

  /** User whose card is open; null without one. */
  get user(): string | null {
    return this.#user;
  }

  /** Opens the card of a user, and searches the history for more messages. */
  open(user: string): void {
    this.#user = user;
    this.#search = { done: false, messages: 0, problem: '' };
    this.#root.hidden = false;
    this.refresh();
    byId('card-name').focus({ preventScroll: true });
    this.#root.scrollIntoView({ block: 'nearest' });
    void this.#read(user);
  }

  close(): void {
    this.#user = null;
    this.#turn += 1;
    this.#root.hidden = true;
  }

  /** Shows the facts that changed since. */
  refresh(): void {
    if (this.#user === null) return;
    const facts = this.book.of(this.#user);
    byId('card-name').replaceChildren(...nameOf(facts));
    byId('card-id').textContent = facts.user;
    byId('card-limits').replaceChildren(...limits(facts));
    byId('card-hits').replaceChildren(...facts.hits.map((hit) => element('li', '', element('time', '', dateTime(hit.atMs)), ' ', element('code', '', hit.rule), ' ', isolated(hit.matched))));
    byId('card-hits').dataset['empty'] = t('cardNoHits');
    byId('card-messages').replaceChildren(...[...facts.messages].reverse().map(messageRow));
    byId('card-messages').dataset['empty'] = t('cardNoMessages');
    const note = byId('card-search');
    if (this.#search.problem) note.textContent = this.#search.problem;
    else say(note, this.#search.done ? 'cardSearched' : 'cardSearching', { count: number(facts.messages.length), messages: number(this.#search.messages) });
  }

  get #name(): string {
    return isolated(this.#user === null ? '' : this.book.of(this.#user).name);
  }

  #press(act: string): void {
    const user = this.#user;
    if (user === null) return;
    const acts: Record<string, [Action, string]> = {
      mute1: [{ type: 'mute', user, secs: 60 }, t('didMute', { user: this.#name, minutes: 1 })],
      mute10: [{ type: 'mute', user, secs: 600 }, t('didMute', { user: this.#name, minutes: 10 })],
      mute60: [{ type: 'mute', user, secs: 3_600 }, t('didMute', { user: this.#name, minutes: 60 })],
      unmute: [{ type: 'unmute', user }, t('didUnmute', { user: this.#name })],
      kick: [{ type: 'kick', user }, t('didKick', { user: this.#name })],
      ban: [{ type: 'ban', user, secs: 86_400 }, t('didBan', { user: this.#name })],
      unban: [{ type: 'unban', user }, t('didUnban', { user: this.#name })],
    };
    const chosen = acts[act];
    if (chosen) void this.#act(...chosen);
  }

  #act(action: Action, what: string): Promise<boolean> {
    return this.desk.act(action, what);
  }

  /** Searches the history for messages of the user, until the card has enough or the bound is reached. */
  async #read(user: string): Promise<void> {
    const turn = (this.#turn += 1);
    let before: number | null = null;
    try {
      for (let page = 0; page < PAGES_MAX; page += 1) {
        const found = await this.api.history(before, PAGE_MESSAGES);
        if (turn !== this.#turn) return;
        for (const { body: raw, sequence } of found.messages) {
          const body = readBody(raw);
          if (body && body.type !== 'signal' && body.type !== 'event' && body.user === user) this.book.add(body, sequence);
        }
        this.#search.messages += found.messages.length;
        this.refresh();
        before = found.next?.before ?? null;
        if (!found.more || before === null || this.book.of(user).messages.length >= MESSAGES_MAX) break;
      }
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      this.#search.problem = error.message;
    }
    if (turn !== this.#turn) return;
    this.#search.done = true;
    this.refresh();
  }
}

function limits(facts: UserFacts): Node[] {
  const nowMs = Date.now();
  const made: Node[] = [];
  const add = (untilMs: number, text: string) => {
    if (untilMs <= nowMs) return;
    const badge = element('span', 'badge', text);
    badge.dataset['level'] = 'bad';
    made.push(badge);
  };
  add(facts.mutedUntilMs, t('cardMuted', { until: dateTime(facts.mutedUntilMs) }));
  add(facts.bannedUntilMs, t('cardBanned', { until: dateTime(facts.bannedUntilMs) }));
  return made;
}

function messageRow({ body, hidden }: UserFacts['messages'][number]): HTMLElement {
  const row = element('li', hidden ? 'row gone' : 'row', element('time', '', clock(body.at_ms)), contentOf(body));
  if (hidden) row.append(element('span', 'badge gone-mark', t('hidden')));
  return row;
}
