// The page's stage: turns messages of the room into danmaku, with the page's texts.

import { type Chat } from '@barrage/client';
import { type Danmaku, type Lane, Stage as Danmakus, styleOf } from '@barrage/stage';
import { nextFrame } from '@barrage/ui/frames.ts';
import { piecesOf } from '../chat/emotes.ts';
import { PICTURE } from '../log/entry.ts';
import { stageAddress } from '../media/box.ts';
import { count, inLanguage, roleKey, t } from '../page/i18n.ts';

/** Colour of gifts and super chats. */
const GOLD = 0xffd27a;

export class Stage {
  readonly danmakus: Danmakus;

  constructor(flight: HTMLElement, missed: HTMLElement) {
    const labels = { missed: (missed: number) => t('missed', { count: count(missed) }) };
    this.danmakus = new Danmakus(flight, { labels, missed, frames: nextFrame, clicks: flight.parentElement ?? flight });
    inLanguage(() => this.danmakus.relabel());
  }

  get visible(): boolean {
    return this.danmakus.visible;
  }

  /** Shows a chat message when a lane is free in time. */
  fly(chat: Chat, sequence: number | null, origin: 'own' | 'other'): void {
    const role = roleKey(chat.role);
    const lane: Lane = origin === 'own' ? 'own' : role ? 'moderator' : 'other';
    const words = piecesOf(chat.text, chat.emotes ?? []).map((piece) => (typeof piece === 'string' ? piece : { emote: piece.alt, url: piece.src }));
    const pieces = [...words, ...pictureOf(chat)];
    const text = chat.text === '' && chat.media ? PICTURE : chat.text;
    this.danmakus.fly({ ...styleOf(chat.style), sequence, user: chat.user, text, pieces, tag: role ? t(role) : '', lane });
  }

  /** Shows a gift or a super chat, before the danmaku of others. */
  flyPaid(text: string, user: string, sequence: number | null, origin: 'own' | 'other'): void {
    const danmaku: Danmaku = { sequence, user, text, color: GOLD, lane: origin === 'own' ? 'own' : 'gift' };
    this.danmakus.fly(danmaku);
  }

  /** Removes a message that a moderator has recalled. */
  recall(sequence: number): void {
    this.danmakus.recall(sequence);
  }

  /** Removes all that a user wrote, or everything. */
  hide(user: string | null): void {
    this.danmakus.purge(user);
  }

  show(visible: boolean): void {
    this.danmakus.show(visible);
  }
}

/** Returns the picture of a message as it flies: small, or as a sign while the page does not know its host. */
function pictureOf({ text, media }: Chat): (string | { emote: string; url: string })[] {
  if (!media) return [];
  const url = stageAddress(media);
  const space = text === '' ? [] : [' '];
  return [...space, url === null ? PICTURE : { emote: PICTURE, url }];
}
