// What the button of a fan group offers to a viewer. Pure.

import { type Key } from '../texts/i18n.ts';

/** A group as the server shows it to a viewer, also before it joins. */
export interface GroupView {
  conversation: string;
  settings: { title: string; room?: string; join?: 'open' | 'ask' | 'badge' };
  members: number;
  role?: string;
  joined: boolean;
}

export type GroupAct = 'open' | 'join' | 'start' | 'none';

export interface GroupOffer {
  act: GroupAct;
  label: Key;
}

/** Returns what the button does; null where there is nothing to offer. `group` is null for a room without one. */
export function offerOf(group: GroupView | null, roomId: string, role: string): GroupOffer | null {
  // Whoever may write attributes of the room names the group, but only its owner binds it to a room.
  if (group && group.settings.room !== roomId) return null;
  if (!group) return role === 'host' ? { act: 'start', label: 'startGroup' } : null;
  if (group.joined) return { act: 'open', label: 'openGroup' };
  if (group.role === 'applicant') return { act: 'none', label: 'asked' };
  if (group.role === 'banned') return null;
  return { act: 'join', label: group.settings.join === 'ask' ? 'askToJoin' : 'joinGroup' };
}
