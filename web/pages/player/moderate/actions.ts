// Roles that may take actions, and what the page says about an action. Pure.

import { type Action } from '@barrage/client';
import { isKey, type Key } from '../page/i18n.ts';

const RANKS = ['viewer', 'moderator', 'host', 'admin'];

/** Longest ban of the server: ten years. */
export const BAN_SECS_MAX = 315_360_000;

/** Whether a role is at least another one. An unknown role is that of a viewer. */
export function isAtLeast(role: string | null | undefined, least: string): boolean {
  return RANKS.indexOf(role ?? '') >= RANKS.indexOf(least);
}

/** Returns the text key of what an action has done. */
export function doneKey(action: Action): Key {
  const key = `done_${action.type}`;
  return isKey(key) ? key : 'done_other';
}
