// The list beside the stage: the messages before the position, each with a button that seeks to it.

import { element } from '@barrage/ui/dom.ts';
import { number } from '@barrage/ui/format.ts';
import { isolated } from '@barrage/ui/language.ts';
import { type Message } from './timeline/message.ts';
import { isKey, t } from './texts/i18n.ts';
import { timeText } from './time_text.ts';

/** Rows of the list. */
export const ROWS_MAX = 150;

export class List {
  /** A reader who scrolled up is not moved. */
  #following = true;

  constructor(
    private readonly root: HTMLElement,
    seek: (ms: number) => void,
  ) {
    root.addEventListener('scroll', () => {
      this.#following = root.scrollHeight - root.scrollTop - root.clientHeight < 40;
    }, { passive: true });
    root.addEventListener('click', (event) => {
      const button = event.target instanceof Element ? event.target.closest<HTMLElement>('button[data-ms]') : null;
      if (button) seek(Number(button.dataset['ms']));
    });
  }

  /** Shows other messages. */
  replace(messages: readonly Message[]): void {
    this.root.replaceChildren(...messages.slice(-ROWS_MAX).map(row));
    this.#following = true;
    this.root.scrollTop = this.root.scrollHeight;
  }

  append(messages: readonly Message[]): void {
    this.root.append(...messages.slice(-ROWS_MAX).map(row));
    while (this.root.childElementCount > ROWS_MAX) this.root.firstElementChild?.remove();
    if (this.#following) this.root.scrollTop = this.root.scrollHeight;
  }
}

function row(message: Message): HTMLElement {
  const time = element('button', 'time', timeText(message.offsetMs));
  time.type = 'button';
  time.dataset['ms'] = String(message.offsetMs);
  time.setAttribute('aria-label', t('seekTo', { time: timeText(message.offsetMs) }));
  const words = element('span', 'words', textOf(message));
  words.dir = 'auto';
  const role = `role_${message.role}`;
  const badge = isKey(role) ? [element('span', 'badge', t(role))] : [];
  const made = element('li', `row ${message.kind}`, time, ...badge, element('bdi', 'who', message.name), words);
  made.dataset['id'] = message.id;
  return made;
}

/** Returns the text of a message, with what was paid or given. */
export function textOf(message: Message): string {
  if (message.gift) return t('gave', { gift: isolated(message.gift.name), count: number(message.gift.count) });
  if (message.paid) return `${number(message.paid.minor / 100, 2)} ${message.paid.currency} · ${message.text}`;
  return message.text;
}
