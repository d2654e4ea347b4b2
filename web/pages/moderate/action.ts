// Actions of a moderator, as docs/reference/protocol.md has them, and the actions that take them back. Pure.

import { type SpeakRules } from './room_facts.ts';

export type SpeakRule = { [Name in keyof SpeakRules]-?: Record<Name, NonNullable<SpeakRules[Name]>> }[keyof SpeakRules];

export type Action =
  | { type: 'recall'; sequence: number }
  | { type: 'remove_media'; sequence: number }
  | { type: 'purge'; user: string }
  | { type: 'clear' }
  | { type: 'mute'; user: string; secs: number }
  | { type: 'unmute'; user: string }
  | { type: 'kick'; user: string }
  | { type: 'ban'; user: string; secs: number }
  | { type: 'unban'; user: string }
  | { type: 'slow_mode'; secs: number }
  | { type: 'mute_all'; on: boolean }
  | { type: 'moderation_delay'; secs: number }
  | { type: 'super_chat_read'; sequence: number; on: boolean }
  | { type: 'reactions'; names?: string[] }
  | { type: 'pin'; sequence: number }
  | { type: 'unpin' }
  | { type: 'announce'; text: string }
  | { type: 'warn'; user: string; text: string }
  | { type: 'speak'; rule: SpeakRule }
  | { type: 'shield'; on: boolean };

export interface ActionAnswer {
  id: string;
  /** Position of the action's signal in the room's chain; absent for an action without one. */
  sequence?: number;
  /** End of the mute or ban that is in force. */
  until_ms?: number;
  duplicate: boolean;
}

/** What the console saw before an action, and needs to take it back. */
export interface Before {
  nowMs: number;
  slowModeSecs: number;
  delaySecs: number;
  /** Reactions of the room's own set; null while it has the platform's. */
  reactions: string[] | null;
  muteAll: boolean;
  shield: boolean;
  speak: SpeakRules;
  pinned: number | null;
  /** End of the user's mute and of the user's ban, where this console knows one; 0 without one. */
  mutedUntilMs: number;
  bannedUntilMs: number;
}

/**
 * Returns the actions that take an action back, in order; none where the server cannot take it back. Of two
 * mutes the later end stays: so an earlier, shorter mute is set again behind the unmute.
 */
export function undoOf(action: Action, before: Before, answer: ActionAnswer): Action[] {
  switch (action.type) {
    case 'mute':
      return [{ type: 'unmute', user: action.user }, ...rest('mute', action.user, before.mutedUntilMs, before.nowMs)];
    case 'kick':
    case 'ban':
      return [{ type: 'unban', user: action.user }, ...rest('ban', action.user, before.bannedUntilMs, before.nowMs)];
    case 'unmute':
      return rest('mute', action.user, before.mutedUntilMs, before.nowMs);
    case 'unban':
      return rest('ban', action.user, before.bannedUntilMs, before.nowMs);
    case 'slow_mode':
      return [{ type: 'slow_mode', secs: before.slowModeSecs }];
    case 'moderation_delay':
      return [{ type: 'moderation_delay', secs: before.delaySecs }];
    case 'reactions':
      return [before.reactions === null ? { type: 'reactions' } : { type: 'reactions', names: before.reactions }];
    case 'super_chat_read':
      return [{ ...action, on: !action.on }];
    case 'mute_all':
      return [{ type: 'mute_all', on: before.muteAll }];
    case 'shield':
      return [{ type: 'shield', on: before.shield }];
    case 'speak':
      return [{ type: 'speak', rule: ruleBefore(action.rule, before.speak) }];
    case 'pin':
    case 'unpin':
      if (before.pinned !== null) return [{ type: 'pin', sequence: before.pinned }];
      return action.type === 'pin' ? [{ type: 'unpin' }] : [];
    case 'announce':
      return answer.sequence === undefined ? [] : [{ type: 'recall', sequence: answer.sequence }];
    case 'recall':
    case 'remove_media':
    case 'purge':
    case 'clear':
    case 'warn':
      return [];
  }
}

function rest(type: 'mute' | 'ban', user: string, untilMs: number, nowMs: number): Action[] {
  const secs = Math.ceil((untilMs - nowMs) / 1_000);
  return secs > 0 ? [{ type, user, secs }] : [];
}

function ruleBefore(rule: SpeakRule, speak: SpeakRules): SpeakRule {
  if ('role_min' in rule) return { role_min: speak.role_min ?? 'viewer' };
  if ('level_min' in rule) return { level_min: speak.level_min ?? 0 };
  if ('member_days_min' in rule) return { member_days_min: speak.member_days_min ?? 0 };
  if ('emote_only' in rule) return { emote_only: speak.emote_only ?? false };
  if ('unique_secs' in rule) return { unique_secs: speak.unique_secs ?? 0 };
  if ('placed_role_min' in rule) return { placed_role_min: speak.placed_role_min ?? 'moderator' };
  if ('media_role_min' in rule) return { media_role_min: speak.media_role_min ?? 'off' };
  return { links_off: speak.links_off ?? false };
}
