// The number of unread items: on the button of the page, in its title, and on the icon of an installed page.

import { element, icon } from '@barrage/ui/dom.ts';
import { badgeText } from './list/row.ts';
import { count, inLanguage, t } from './texts/i18n.ts';

interface AppBadge {
  setAppBadge?(count: number): Promise<void>;
  clearAppBadge?(): Promise<void>;
}

export class Badge {
  /** Null before the inbox is known. */
  #unread: number | null = null;
  #number = element('b', 'letters-count');

  /** `title` gets the number for the title of the page. */
  constructor(
    private readonly button: HTMLButtonElement,
    private readonly title: (unread: number) => void,
  ) {
    this.#number.setAttribute('aria-hidden', 'true');
    button.replaceChildren(icon('mail'), this.#number);
    inLanguage(() => this.#write());
  }

  /** Shows a number, and with the first one the button. */
  show(unread: number): void {
    this.button.hidden = false;
    if (unread === this.#unread) return;
    this.#unread = unread;
    this.#write();
    this.title(unread);
    const app = navigator as AppBadge;
    // A page that is not installed has no icon; some browsers reject then.
    void (unread > 0 ? app.setAppBadge?.(unread) : app.clearAppBadge?.())?.catch(() => {});
  }

  #write(): void {
    const unread = this.#unread ?? 0;
    const words = unread > 0 ? t('inboxUnread', { count: count(unread) }) : t('inbox');
    this.#number.hidden = unread === 0;
    this.#number.textContent = badgeText(unread);
    this.button.title = words;
    this.button.setAttribute('aria-label', words);
  }
}
