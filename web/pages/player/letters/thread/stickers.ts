// Stickers by their ids: `reaction.NAME` is a symbol of the reactions, another id is that of an emote.

import { element } from '@barrage/ui/dom.ts';
import { symbolOf, USUAL_REACTIONS } from '@barrage/ui/reactions.ts';
import { emoteOf, emotesById, imageOf, stickersById } from '../../chat/emotes.ts';
import { t } from '../texts/i18n.ts';

const REACTION = 'reaction.';
/** Ids that the server takes. */
const ID = /^[A-Za-z0-9_.-]{1,64}$/u;
/** Stickers and emotes that the panel offers: stickers first, the newest ones of the room before the others. */
const EMOTES_MAX = 60;

/** Returns what shows a sticker; its id where this page does not know it. */
export function stickerOf(id: string): HTMLElement {
  const emote = emoteOf(id);
  if (emote) return element('span', 'sticker-art', imageOf(emote));
  const name = id.startsWith(REACTION) ? id.slice(REACTION.length) : null;
  if (name !== null && USUAL_REACTIONS.includes(name)) {
    const art = element('span', 'sticker-art symbol', symbolOf(name));
    art.setAttribute('role', 'img');
    art.setAttribute('aria-label', t('stickerOf', { name }));
    return art;
  }
  return element('span', 'sticker-name', id);
}

/** Creates a panel of stickers. `chosen` gets the id. */
export function stickerPanel(chosen: (id: string) => void): HTMLElement {
  const emotes = [...emotesById(), ...stickersById()].filter(([id]) => ID.test(id)).reverse().slice(0, EMOTES_MAX);
  const panel = element('div', 'sticker-panel');
  panel.setAttribute('role', 'group');
  panel.setAttribute('aria-label', t('stickers'));
  const choices: [string, string][] = [...emotes.map(([id, { name }]): [string, string] => [id, name]), ...USUAL_REACTIONS.map((name): [string, string] => [REACTION + name, name])];
  for (const [id, name] of choices) {
    const button = element('button', 'sticker-choice', stickerOf(id));
    button.type = 'button';
    button.setAttribute('aria-label', t('stickerOf', { name }));
    button.addEventListener('click', () => chosen(id));
    panel.append(button);
  }
  return panel;
}
