// The inbox of this page: opens it, and connects the drawer, the badge and what the inbox reports. It is loaded where
// the server has an inbox for this user, and nowhere else.

import './letters.css';
import { byId } from '@barrage/ui/dom.ts';
import { type Room, type TokenSource } from '@barrage/client';
import { openInbox } from '@barrage/client/inbox';
import { loadAttachment } from '../media/attaching.ts';
import { Badge } from './badge.ts';
import { Blocks } from './blocks.ts';
import { type Desk, type Place } from './desk.ts';
import { Drawer } from './drawer.ts';
import { Fans } from './fans/fans.ts';
import { type Known, Names } from './list/names.ts';
import { Previews } from './list/previews.ts';
import { t } from './texts/i18n.ts';
import { whyOf } from './texts/words.ts';

/** What the inbox needs of the page. */
export interface Page {
  room: Room;
  roomId: string;
  /** Token of the user, for uploads. */
  token: TokenSource;
  /** Returns what is known of a user in the room; null for one who has not written. */
  known: Known;
  /** Shows a sentence below the stream. */
  say(words: string): void;
  /** The user did something of which a notification would tell the answer. */
  hopes(): void;
  /** The number of unread items, for the title. */
  unread(unread: number): void;
}

export interface Letters {
  /** Opens the conversation with a user. */
  writeTo(user: string): void;
  open(conversation: string): void;
  /** Ends the inbox: its person has signed out. */
  close(): void;
}

export function openLetters({ room, roomId, token, known, unread, say, hopes }: Page): Letters {
  const inbox = openInbox(room);
  const names = new Names(known);
  const update = (): void => drawer.update();
  const desk: Desk = {
    inbox,
    names,
    previews: new Previews(inbox, names, update),
    blocks: new Blocks(inbox, update, (why) => drawer.say(t('failed', { why }))),
    room: { id: roomId, isLive: () => room.state.kind === 'open' && !room.roomState.settings.closed, online: () => room.online },
    drafts: new Map(),
    go: (place: Place) => drawer.go(place),
    back: () => drawer.back(),
    attachment: (text) => loadAttachment(token, text, 'any'),
    say: (words) => drawer.say(words),
    wrote: hopes,
    leave: async (conversation) => {
      const left = await room.call({ method: 'POST', path: `/v1/groups/${encodeURIComponent(conversation)}/leave` });
      if (left.kind === 'refused') drawer.say(t('failed', { why: whyOf(left) }));
      return left.kind === 'answered';
    },
  };
  const opener = byId<HTMLButtonElement>('letters-open');
  const drawer: Drawer = new Drawer(desk, opener);
  // In full screen the browser shows nothing outside of it.
  byId('main').append(drawer.node);
  const badge = new Badge(opener, unread);
  opener.addEventListener('click', () => void desk.blocks.load());
  inbox.on('change', () => {
    badge.show(inbox.unread);
    drawer.update();
  });
  inbox.on('items', ({ items }) => {
    names.learn(items);
    drawer.update();
  });
  inbox.on('hidden', (places) => {
    for (const { conversation } of places) desk.previews.forget(conversation);
    drawer.update();
  });
  const openThread = (thread: { user: string } | { conversation: string }): void => {
    void desk.blocks.load();
    drawer.go({ kind: 'thread', thread });
  };
  new Fans(room, roomId, inbox, names, {
    writeTo: (user) => openThread({ user }),
    open: (conversation) => openThread({ conversation }),
    say,
    followed: hopes,
  });
  return { writeTo: (user) => openThread({ user }), open: (conversation) => openThread({ conversation }), close: () => inbox.close() };
}
