// Facts of the room that its state and its signals tell: rules, the pinned message, the running poll. Pure.

import { type Body, type Poll, type RoomView } from '@barrage/client';

/** Rules for those who speak; an absent one is off. */
export interface SpeakRules {
  role_min?: 'viewer' | 'moderator' | 'host';
  level_min?: number;
  member_days_min?: number;
  emote_only?: boolean;
  unique_secs?: number;
  links_off?: boolean;
}

export interface RoomFacts {
  title: string;
  closed: boolean;
  muteAll: boolean;
  slowModeSecs: number;
  speak: SpeakRules;
  shield: boolean;
  pinned: { sequence: number; body: Body } | null;
  poll: Poll | null;
}

export const NO_FACTS: RoomFacts = { title: '', closed: false, muteAll: false, slowModeSecs: 0, speak: {}, shield: false, pinned: null, poll: null };

/** Reads the facts of a state. What has another form than the protocol's counts as absent. */
export function factsOf(view: RoomView): RoomFacts {
  const settings = view.settings as Record<string, unknown>;
  const speak = settings['speak'];
  const secs = settings['slow_mode_secs'];
  const title = settings['title'];
  return {
    title: typeof title === 'string' ? title : '',
    closed: settings['closed'] === true,
    muteAll: settings['mute_all'] === true,
    slowModeSecs: typeof secs === 'number' && secs > 0 ? secs : 0,
    speak: typeof speak === 'object' && speak !== null ? (speak as SpeakRules) : {},
    shield: settings['shield'] === true,
    pinned: view.pinned,
    poll: view.poll,
  };
}
