// The danmaku of a message. Pure.

import { type Written } from '@barrage/client';
import { type Danmaku } from '@barrage/stage';

/** Sentences for messages without a text of their own. */
export interface Sentences {
  /** Returns the sentence behind the sender's name, such as "sent a rose". */
  gave: (gift: string) => string;
}

export const ENGLISH: Sentences = { gave: (gift) => `sent ${gift}` };

const PAID_COLOR = 0xffd66e;

/** Returns the danmaku that shows a chat, a gift or a super chat. `own` is the id of the viewer. */
export function danmakuOf(body: Written, sequence: number | null, sentences: Sentences = ENGLISH, own: string | null = null): Danmaku {
  const isOwn = own !== null && body.user === own;
  const common = { sequence, user: body.user };
  switch (body.type) {
    case 'chat': {
      const { mode, color, size } = body.style;
      const isTeam = body.role === 'host' || body.role === 'moderator' || body.role === 'admin';
      // A picture flies as a sign: the page of a site need not know the media hosts.
      const text = body.media ? `${body.text} 🖼`.trim() : body.text;
      return { ...common, text, mode, color, size, lane: isOwn ? 'own' : isTeam ? 'moderator' : 'other' };
    }
    case 'gift': {
      const times = body.gift.count > 1 ? ` ×${body.gift.count}` : '';
      return { ...common, text: `${body.name} ${sentences.gave(body.gift.name)}${times}`, color: PAID_COLOR, lane: isOwn ? 'own' : 'gift' };
    }
    case 'super_chat':
      return { ...common, text: body.text, color: PAID_COLOR, size: 'large', lane: isOwn ? 'own' : 'gift' };
  }
}
