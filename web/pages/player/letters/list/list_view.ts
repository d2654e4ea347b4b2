// The list of conversations of a folder, by their newest item.

import { element, icon } from '@barrage/ui/dom.ts';
import { type Conversation } from '@barrage/client/inbox';
import { type Desk, type Place, type View } from '../desk.ts';
import { count, t } from '../texts/i18n.ts';
import { rowOf } from './row.ts';

/** Rows that are added when the end of the list comes into view. */
const ROWS_STEP = 30;

type Folder = 'main' | 'request' | 'archived';

export class ListView implements View {
  readonly node = element('div', 'letters-view conversations');
  readonly menu = null;
  #list = element('ul', 'conversation-list');
  #empty = element('p', 'empty letters-empty');
  #rowsMax = ROWS_STEP;
  #end = element('div', 'letters-end');
  #watch: IntersectionObserver;

  constructor(
    private readonly desk: Desk,
    readonly folder: Folder,
  ) {
    this.#list.setAttribute('aria-label', t('conversations'));
    this.node.append(this.#list, this.#empty, this.#end);
    this.#list.addEventListener('click', (event) => {
      const button = (event.target as Element).closest<HTMLElement>('[data-conversation]');
      if (button) desk.go({ kind: 'thread', thread: { conversation: button.dataset['conversation']! } });
    });
    this.#list.addEventListener('keydown', (event) => this.#move(event));
    this.#watch = new IntersectionObserver((seen) => {
      if (!seen.some(({ isIntersecting }) => isIntersecting) || this.#rowsMax >= this.#rows().length) return;
      this.#rowsMax += ROWS_STEP;
      this.update();
    });
    this.#watch.observe(this.#end);
    this.update();
  }

  title(): string {
    return this.folder === 'main' ? t('inbox') : this.folder === 'request' ? t('requests') : t('archived');
  }

  subtitle(): string {
    return '';
  }

  update(): void {
    const rows = this.#rows();
    const focused = (document.activeElement as HTMLElement | null)?.dataset['key'];
    const nodes = rows.slice(0, this.#rowsMax).map((row) => {
      const button = rowOf(row, this.desk.previews.of(row), this.desk);
      button.dataset['key'] = row.conversation;
      return element('li', '', button);
    });
    this.#list.replaceChildren(...this.#links(), ...nodes);
    if (focused !== undefined) this.#buttons().find(({ dataset }) => dataset['key'] === focused)?.focus({ preventScroll: true });
    this.#empty.textContent = t(this.folder === 'main' ? 'none' : 'noneInFolder');
    this.#empty.hidden = rows.length > 0;
  }

  focus(): void {
    this.#buttons()[0]?.focus();
  }

  close(): void {
    this.#watch.disconnect();
  }

  #rows(): Conversation[] {
    return this.#of(this.folder);
  }

  #of(folder: Folder): Conversation[] {
    return this.desk.inbox.conversations.filter((row) => (row.folder ?? 'main') === folder && (row.kind === 'group' || row.head > (row.after ?? 0)));
  }

  /** Ways to the other folders: that of requests first, because somebody waits there. */
  #links(): HTMLElement[] {
    if (this.folder !== 'main') return [];
    const requests = this.#of('request');
    const links: HTMLElement[] = [];
    if (requests.length > 0) links.push(this.#link('person', t('requestsCount', { count: count(requests.length) }), { kind: 'folder', folder: 'request' }));
    if (this.#of('archived').length > 0) links.push(this.#link('archive', t('archived'), { kind: 'folder', folder: 'archived' }));
    return links;
  }

  #link(sign: string, words: string, place: Place): HTMLElement {
    const button = element('button', 'conversation folder', icon(sign), element('span', '', words));
    button.type = 'button';
    button.dataset['key'] = words;
    button.addEventListener('click', () => this.desk.go(place));
    return element('li', '', button);
  }

  #buttons(): HTMLElement[] {
    return [...this.#list.querySelectorAll<HTMLElement>('button')];
  }

  #move(event: KeyboardEvent): void {
    const buttons = this.#buttons();
    const at = buttons.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    buttons[Math.max(0, Math.min(to, buttons.length - 1))]?.focus();
  }
}
