// Requests about notifications, with the token of the room's user.

import type { Call, Room } from '@barrage/client';
import { type PushServer } from './push.ts';

/** What a user wants to be notified of. */
export interface PushSettings {
  letters: boolean;
  mentions: boolean;
  live: boolean;
  /** Hours without notifications, as `HH:MM` of the user's time; null for none. */
  quiet: { from: string; to: string } | null;
}

export interface PushServerWithSettings extends PushServer {
  /** Returns the settings; null where the server does not answer. */
  settings(): Promise<PushSettings | null>;
  save(settings: PushSettings): Promise<boolean>;
}

/** Settings as the server has them. */
interface Answer {
  letters: boolean;
  mentions: boolean;
  live: boolean;
  quiet?: { from: string; to: string; zone: string };
  muted_until_ms?: number;
}

const SETTINGS = '/v1/inbox/notifications';
const device = (id: string): string => `/v1/inbox/devices/${encodeURIComponent(id)}`;

export function serverOf(room: Pick<Room, 'call'>): PushServerWithSettings {
  /** The pause that an app of the user has set; this page has no field for it. */
  let pause: Pick<Answer, 'muted_until_ms'> = {};
  const takes = async (call: Call): Promise<boolean> => (await room.call(call)).kind === 'answered';
  return {
    /** Rejects without network, so that the page asks again later. A server from before notifications has no such route. */
    async key() {
      const called = await room.call<{ key?: string }>({ path: '/v1/push/key' });
      if (called.kind === 'answered') return called.answer.key ?? null;
      if (called.code === 'network') throw new Error(called.message);
      return null;
    },
    register: (id, subscription) => takes({ method: 'PUT', path: device(id), body: { platform: 'web', subscription } }),
    remove: (id) => takes({ method: 'DELETE', path: device(id) }),
    async settings() {
      const called = await room.call<Answer>({ path: SETTINGS });
      if (called.kind === 'refused') return null;
      const { letters, mentions, live, quiet, muted_until_ms: untilMs } = called.answer;
      pause = untilMs === undefined ? {} : { muted_until_ms: untilMs };
      return { letters, mentions, live, quiet: quiet ? { from: quiet.from, to: quiet.to } : null };
    },
    save({ quiet, ...kinds }) {
      const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
      return takes({ method: 'PUT', path: SETTINGS, body: { ...kinds, ...pause, ...(quiet ? { quiet: { ...quiet, zone } } : {}) } });
    },
  };
}
