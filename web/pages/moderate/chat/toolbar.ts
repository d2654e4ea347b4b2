// The buttons of one message. There is one toolbar: it hangs in the row that is picked.

import { element } from '@barrage/ui/dom.ts';
import { inLanguage, isolated } from '@barrage/ui/language.ts';
import { type Written } from '@barrage/client';
import { t, type Key } from '../texts/i18n.ts';

export type LineAction = 'delete' | 'mute1' | 'mute10' | 'mute60' | 'kick' | 'ban' | 'purge' | 'pin' | 'card';

/** Actions in the order of their buttons, with the key of each on the keyboard. */
export const LINE_ACTIONS: [action: LineAction, key: string, label: Key][] = [
  ['delete', 'd', 'actDelete'],
  ['mute1', '1', 'actMute1'],
  ['mute10', '2', 'actMute10'],
  ['mute60', '3', 'actMute60'],
  ['kick', 'r', 'actKick'],
  ['ban', 'b', 'actBan'],
  ['purge', 'p', 'actPurge'],
  ['pin', 'i', 'actPin'],
  ['card', 'u', 'actCard'],
];

export class Toolbar {
  readonly node = element('span', 'tools');
  readonly #buttons: [HTMLButtonElement, Key][] = [];

  constructor(act: (action: LineAction) => void) {
    this.node.setAttribute('role', 'group');
    for (const [action, , label] of LINE_ACTIONS) {
      const button = element('button', 'small');
      button.type = 'button';
      button.dataset['act'] = action;
      button.addEventListener('click', () => act(action));
      this.#buttons.push([button, label]);
      this.node.append(button);
    }
    inLanguage(() => {
      for (const [button, label] of this.#buttons) button.textContent = t(label);
    });
  }

  /** Hangs in a row: with all buttons in the selected one, else with the most used ones over its end. */
  hang(row: HTMLElement, body: Written, place: 'selected' | 'hovered'): void {
    this.node.classList.toggle('quick', place === 'hovered');
    if (this.node.parentElement === row) return;
    this.node.setAttribute('aria-label', t('actsOn', { user: isolated(body.name) }));
    row.append(this.node);
  }

  unhang(): void {
    this.node.remove();
  }
}
