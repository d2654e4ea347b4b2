// Facts of the room that its state and its signals tell: rules, the pinned message, the running poll. Pure.

import { reactionsOf } from '@barrage/ui/reactions.ts';
import { type Body, type Poll, type RoomView, type SuperChat } from '@barrage/client';

/** Rules for those who speak; an absent one is off. */
export interface SpeakRules {
  role_min?: 'viewer' | 'moderator' | 'host';
  level_min?: number;
  member_days_min?: number;
  emote_only?: boolean;
  unique_secs?: number;
  links_off?: boolean;
  /** Least role for danmaku of the mode `placed`; moderators where it is absent. */
  placed_role_min?: 'viewer' | 'moderator' | 'host';
  /** Least role for pictures and stickers; off where it is absent. */
  media_role_min?: 'viewer' | 'moderator' | 'host' | 'off';
}

/** A super chat that pages show on top. */
export interface OnTop {
  sequence: number;
  untilMs: number;
  read: boolean;
  body: SuperChat;
}

export interface RoomFacts {
  title: string;
  closed: boolean;
  muteAll: boolean;
  slowModeSecs: number;
  /** Seconds by which viewers get the room later than its moderators. */
  delaySecs: number;
  /** Reactions of the room's own set; null while it has the platform's. */
  reactions: string[] | null;
  speak: SpeakRules;
  shield: boolean;
  pinned: { sequence: number; body: Body } | null;
  poll: Poll | null;
  /** In the order of the room. */
  superChats: OnTop[];
}

export const NO_FACTS: RoomFacts = { title: '', closed: false, muteAll: false, slowModeSecs: 0, delaySecs: 0, reactions: null, speak: {}, shield: false, pinned: null, poll: null, superChats: [] };

/** Reads the facts of a state. What has another form than the protocol's counts as absent. */
export function factsOf(view: RoomView): RoomFacts {
  const settings = view.settings as Record<string, unknown>;
  const speak = settings['speak'];
  const title = settings['title'];
  return {
    title: typeof title === 'string' ? title : '',
    closed: settings['closed'] === true,
    muteAll: settings['mute_all'] === true,
    slowModeSecs: secsOf(settings['slow_mode_secs']),
    delaySecs: secsOf(settings['moderation_delay_secs']),
    reactions: reactionsOf(settings['reactions']),
    speak: typeof speak === 'object' && speak !== null ? (speak as SpeakRules) : {},
    shield: settings['shield'] === true,
    pinned: view.pinned,
    poll: view.poll,
    superChats: view.super_chats.map(({ sequence, until_ms: untilMs, read, body }) => ({ sequence, untilMs, read: read === true, body })).sort((a, b) => a.sequence - b.sequence),
  };
}

function secsOf(value: unknown): number {
  return typeof value === 'number' && value > 0 ? value : 0;
}
