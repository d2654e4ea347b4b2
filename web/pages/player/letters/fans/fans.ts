// The bar below the stream: letters with the host, and the fan group of the room. Two attributes of the room name
// them (docs/guide/letters.md); without the first, the host is who writes in the room with this role.

import { byId, element, icon } from '@barrage/ui/dom.ts';
import { type Room } from '@barrage/client';
import { type Inbox } from '@barrage/client/inbox';
import { avatarOf, badgeText } from '../list/row.ts';
import { type Names } from '../list/names.ts';
import { count, inLanguage, isolated, t } from '../texts/i18n.ts';
import { whyOf } from '../texts/words.ts';
import { Follow } from './follow.ts';
import { type GroupOffer, type GroupView, offerOf } from './group.ts';

const HOST = 'inbox.host';
const GROUP = 'inbox.group';
/** Longest title that the server takes. */
const TITLE_CHARS_MAX = 60;

export interface FansEvents {
  writeTo(user: string): void;
  open(conversation: string): void;
  say(words: string): void;
  /** The user wants to hear when the host is live. */
  followed(): void;
}

export class Fans {
  readonly node = element('div', 'fans');
  #host: string | null = null;
  /** Group that the room names, and what the server says of it. */
  #named: string | null = null;
  #group: GroupView | null = null;
  #isBusy = false;
  #follow: Follow;

  constructor(
    private readonly room: Room,
    private readonly roomId: string,
    private readonly inbox: Inbox,
    private readonly names: Names,
    private readonly events: FansEvents,
  ) {
    this.#follow = new Follow(room, () => this.#write());
    this.node.setAttribute('role', 'group');
    this.node.hidden = true;
    byId('stage').after(this.node);
    room.on('roomState', () => this.#roomChanged());
    room.on('batch', ({ messages }) => {
      for (const { body } of messages) {
        if (body.type !== 'chat' || body.role !== 'host') continue;
        this.names.note(body.user, body.name, body.attrs?.avatar);
        if (this.#host === null) this.#roomChanged(body.user);
      }
    });
    inbox.on('change', () => this.#inboxChanged());
    inLanguage(() => this.#write());
    this.#roomChanged();
  }

  #roomChanged(seen: string | null = this.#host): void {
    const { attributes } = this.room.roomState;
    this.#host = attributes[HOST]?.text ?? seen;
    const named = attributes[GROUP]?.text ?? null;
    if (named !== this.#named) {
      this.#named = named;
      this.#group = null;
      void this.#load();
    }
    this.#write();
  }

  /** A join or a leave elsewhere changes what the button offers. */
  #inboxChanged(): void {
    const row = this.#row;
    const joined = row !== undefined && row.left === undefined && !row.deleted && row.role !== 'applicant' && row.role !== 'banned';
    if (this.#group && joined !== this.#group.joined) void this.#load();
    else this.#write();
  }

  get #row(): Inbox['conversations'][number] | undefined {
    return this.inbox.conversations.find(({ conversation }) => conversation === this.#named);
  }

  async #load(): Promise<void> {
    const named = this.#named;
    if (named === null) return;
    const called = await this.room.call<GroupView>({ path: `/v1/groups/${encodeURIComponent(named)}` });
    if (named !== this.#named) return;
    this.#group = called.kind === 'answered' ? called.answer : null;
    this.#write();
  }

  #write(): void {
    const { user } = this.inbox;
    const host = this.#host !== null && this.#host !== user ? this.#hostButton(this.#host) : null;
    if (host && this.#host !== null) void this.#follow.of(this.#host);
    const follow = host && this.#follow.follows !== null ? this.#followButton(this.#follow.follows) : null;
    const offer = this.#named !== null && !this.#group ? null : offerOf(this.#group, this.roomId, this.room.role);
    const group = offer ? this.#groupButton(offer) : null;
    const hadFocus = this.node.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset['fans'] : undefined;
    this.node.setAttribute('aria-label', t('fans'));
    this.node.replaceChildren(...[host, follow, group].filter((one) => one !== null));
    this.node.hidden = !host && !group;
    if (hadFocus !== undefined) this.node.querySelector<HTMLElement>(`[data-fans=${hadFocus}]`)?.focus();
  }

  #hostButton(host: string): HTMLElement {
    const name = this.names.of(host);
    const words = element('span', 'fans-words', element('bdi', 'fans-name', name), element('span', 'fans-more', t('writeToHost')));
    const button = element('button', 'fans-button', avatarOf(host, name, this.names.avatar(host)), words);
    button.type = 'button';
    button.dataset['fans'] = 'host';
    button.addEventListener('click', () => this.events.writeTo(host));
    return button;
  }

  #followButton(follows: boolean): HTMLElement {
    const words = element('span', 'fans-words', element('span', 'fans-name', t('tellWhenLive')), element('span', 'fans-more', t(follows ? 'isTold' : 'isNotTold')));
    const button = element('button', 'fans-button follow', icon('bell'), words);
    button.type = 'button';
    button.dataset['fans'] = 'follow';
    button.setAttribute('aria-pressed', String(follows));
    button.addEventListener('click', () => void this.#toggleFollow());
    return button;
  }

  async #toggleFollow(): Promise<void> {
    const refused = await this.#follow.toggle();
    if (refused) return this.events.say(t('failed', { why: whyOf(refused) }));
    if (this.#follow.follows) this.events.followed();
  }

  #groupButton({ act, label }: GroupOffer): HTMLElement {
    const members = this.#row?.members ?? this.#group?.members;
    const more = members === undefined ? '' : t('members', { count: count(members) });
    const title = this.#group?.settings.title ?? t('fanGroup');
    const words = element('span', 'fans-words', element('bdi', 'fans-name', title), element('span', 'fans-more', [t(label), more].filter((one) => one !== '').join(' · ')));
    const button = element('button', `fans-button group ${act}`, icon('group'), words);
    const unread = this.#row?.unread ?? 0;
    if (act === 'open' && unread > 0) {
      const number = element('span', 'count', badgeText(unread));
      number.setAttribute('aria-hidden', 'true');
      button.append(number, element('span', 'hidden', t('unread', { count: count(unread) })));
    }
    button.type = 'button';
    button.dataset['fans'] = 'group';
    button.disabled = act === 'none';
    button.setAttribute('aria-busy', String(this.#isBusy));
    button.addEventListener('click', () => void this.#act(act));
    return button;
  }

  async #act(act: GroupOffer['act']): Promise<void> {
    if (act === 'open' && this.#named !== null) return this.events.open(this.#named);
    if (this.#isBusy) return;
    this.#isBusy = true;
    if (act === 'join') await this.#join();
    else if (act === 'start') await this.#start();
    this.#isBusy = false;
    this.#write();
  }

  async #join(): Promise<void> {
    const path = `/v1/groups/${encodeURIComponent(this.#named ?? '')}/join`;
    const called = await this.room.call<{ group?: GroupView }>({ method: 'POST', path });
    if (called.kind === 'refused') {
      const isBadge = called.code === 'forbidden' && this.#group?.settings.join === 'badge';
      return this.events.say(isBadge ? t('badgeNeeded') : t('failed', { why: whyOf(called) }));
    }
    this.#group = called.answer.group ?? this.#group;
  }

  /** Makes the group of the host's room, and names it in the room. */
  async #start(): Promise<void> {
    const { title } = this.room.roomState.settings;
    const words = [...t('groupTitle', { name: title ?? this.room.name })].slice(0, TITLE_CHARS_MAX).join('');
    const made = await this.room.call<{ conversation: string }>({ method: 'POST', path: '/v1/groups', body: { title: words, room: this.roomId, join: 'open' } });
    if (made.kind === 'refused') return this.events.say(t('failed', { why: whyOf(made) }));
    for (const [key, text] of [[GROUP, made.answer.conversation], [HOST, this.inbox.user ?? '']] as const) {
      const body = { id: `${key}-${made.answer.conversation.slice(-12)}`, text };
      const named = await this.room.call({ method: 'PUT', resource: `attributes/${key}`, body });
      if (named.kind === 'refused') return this.events.say(t('failed', { why: isolated(whyOf(named)) }));
    }
  }
}
