// Super chats that are on top: the host reads them aloud, and ticks them off.

import { byId, element } from '@barrage/ui/dom.ts';
import { duration } from '@barrage/ui/format.ts';
import { inLanguage, isolated } from '@barrage/ui/language.ts';
import { contentOf, nameOf } from '../chat/lines.ts';
import { type Desk } from '../desk.ts';
import { t } from '../texts/i18n.ts';
import { type OnTop } from '../room_facts.ts';

const TICK_MS = 1_000;

export class SuperChats {
  readonly #root = byId('super-chats');
  readonly #list = byId('super-list');
  readonly #timer: number;
  #shown: OnTop[] = [];

  constructor(private readonly desk: Desk) {
    inLanguage(() => this.#render());
    this.#timer = setInterval(() => this.#tell(), TICK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  show(onTop: OnTop[]): void {
    if (JSON.stringify(onTop) === JSON.stringify(this.#shown)) return;
    this.#shown = onTop;
    this.#render();
  }

  /** Unread ones come first. */
  #render(): void {
    const focused = this.#list.contains(document.activeElement) ? document.activeElement?.id : undefined;
    const open = this.#shown.filter(({ untilMs }) => untilMs > Date.now());
    this.#root.hidden = open.length === 0;
    this.#list.replaceChildren(...[...open.filter(({ read }) => !read), ...open.filter(({ read }) => read)].map((one) => this.#row(one)));
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    this.#tell();
  }

  #row({ sequence, untilMs, read, body }: OnTop): HTMLElement {
    const box = element('input', '');
    box.type = 'checkbox';
    box.id = `super-${sequence}`;
    box.checked = read;
    box.addEventListener('change', () => {
      const on = box.checked;
      void this.desk.act({ type: 'super_chat_read', sequence, on }, t(on ? 'didRead' : 'didUnread', { user: isolated(body.name) })).then((done) => {
        if (!done) box.checked = !on;
      });
    });
    const rest = element('span', 'note rest');
    rest.dataset['until'] = String(untilMs);
    const label = element('label', 'super-label', box, element('span', '', ...nameOf(body), ' ', contentOf(body)));
    return element('li', read ? 'super read' : 'super', label, rest);
  }

  /** Shows the time that is left, and removes what is over. */
  #tell(): void {
    const nowMs = Date.now();
    let isOver = false;
    for (const rest of this.#list.querySelectorAll<HTMLElement>('.rest')) {
      const leftMs = Number(rest.dataset['until']) - nowMs;
      rest.textContent = duration(Math.max(0, leftMs / 1_000));
      isOver ||= leftMs <= 0;
    }
    if (isOver) this.#render();
  }
}
