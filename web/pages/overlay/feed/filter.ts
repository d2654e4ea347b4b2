// What an overlay shows of a room. Pure.

import { type Written } from '@barrage/client';
import { type Settings } from '../settings.ts';

/** Badges and roles of programs that chat. */
const BOT_BADGES: readonly string[] = ['bot'];

/** Returns whether the overlay shows a message that a user wrote. */
export function isShown(body: Written, settings: Pick<Settings, 'hide' | 'block'>): boolean {
  if (isBlocked(body, settings.block)) return false;
  if (settings.hide.includes('bots') && isBot(body)) return false;
  switch (body.type) {
    case 'gift':
      return !settings.hide.includes('gifts');
    case 'super_chat':
      return !settings.hide.includes('super_chats');
    case 'chat':
      return !(settings.hide.includes('commands') && isCommand(body.text));
  }
}

function isBlocked(body: Written, block: readonly string[]): boolean {
  return block.includes(body.user.toLowerCase()) || block.includes(body.name.toLowerCase());
}

/** A badge `bot`, with any version behind a slash. */
function isBot(body: Written): boolean {
  return body.attrs?.badges.some((badge) => BOT_BADGES.includes(badge.split('/')[0] ?? '')) ?? false;
}

/** A text for a program: `!song`, `/slow 5`. A single `!` or `!!!` is none. */
function isCommand(text: string): boolean {
  return /^[!/][\p{L}\p{N}]/u.test(text);
}
