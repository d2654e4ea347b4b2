// What the list shows, apart from the page: messages with their state, and sentences of the page.

import { type Key } from '../page/zh.ts';
import { type Written } from '@barrage/client';

/** Stands for a picture where only a text can. */
export const PICTURE = '🖼';

export interface Message {
  kind: 'message';
  body: Written;
  /** Position in the room; null for a message that only its sender sees. */
  sequence: number | null;
  origin: 'own' | 'other';
  /** Text key of the reason for which only the sender sees the message; null for all others. */
  held: Key | null;
  /** A moderator has removed it: the row stays without its text. */
  removed: boolean;
}

export type Entry =
  | Message
  /** A sentence of the page, written again when the language changes. */
  | { kind: 'note'; key: Key; values: Record<string, string | number> }
  /** A sentence of the server. */
  | { kind: 'quote'; text: string }
  | { kind: 'leftOut'; count: number };

export function message(body: Written, sequence: number | null, origin: 'own' | 'other', held: Key | null = null): Message {
  return { kind: 'message', body, sequence, origin, held, removed: false };
}

/** Returns the position of an entry in the room; null for one without. */
export function sequenceOf(entry: Entry | undefined): number | null {
  return entry?.kind === 'message' ? entry.sequence : null;
}

/** Returns the text of a message as a reply quotes it; a gift is quoted by its name, and a picture without a text by a sign. */
export function quotable(body: Written): string {
  if (body.type === 'chat' && body.text === '' && body.media !== undefined) return PICTURE;
  return body.type === 'gift' ? `${body.gift.name} ×${body.gift.count}` : body.text;
}

/** Returns the text key of the reason for a rule that held a message. */
export function heldKey(rule: string | undefined): Key {
  if (rule === 'room_display_chat_per_s') return 'heldCrowded';
  if (rule === 'moderation:review_full') return 'heldReviewFull';
  if (rule?.startsWith('switch:')) return 'heldSwitch';
  return 'heldRule';
}
