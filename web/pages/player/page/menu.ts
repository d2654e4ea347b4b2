// A menu that opens at a place of the page: arrow keys, Escape and a click elsewhere as in every menu.

import { element, icon } from '@barrage/ui/dom.ts';

export interface Item {
  words: string;
  icon?: string;
  /** A choice that removes something is red. */
  danger?: boolean;
  run(): void;
}

/** Space between the menu and the edge of the window. */
const MARGIN_PX = 8;

let close: (() => void) | null = null;

/** Closes the open menu. */
export function closeMenu(): void {
  close?.();
}

/** Opens a menu at an element, or at a point. Groups have a line between them. The focus returns to `from`. */
export function openMenu(label: string, groups: Item[][], from: HTMLElement, point?: { x: number; y: number }): void {
  close?.();
  const menu = element('div', 'menu');
  menu.setAttribute('role', 'menu');
  menu.setAttribute('aria-label', label);
  for (const [number, group] of groups.filter((one) => one.length > 0).entries()) {
    if (number > 0) menu.append(separator());
    for (const item of group) menu.append(itemOf(item));
  }
  // In full screen the browser shows nothing outside of it.
  (document.querySelector('main') ?? document.body).append(menu);
  place(menu, point ?? below(from));
  const buttons = [...menu.querySelectorAll('button')];
  const outside = (event: Event): void => {
    if (!menu.contains(event.target as Node)) shut(false);
  };
  const shut = (returns: boolean): void => {
    close = null;
    menu.remove();
    removeEventListener('pointerdown', outside, true);
    removeEventListener('resize', away);
    if (returns && from.isConnected) from.focus({ preventScroll: true });
  };
  const away = (): void => shut(false);
  close = () => shut(true);
  menu.addEventListener('keydown', (event) => {
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (to !== undefined) buttons.at(to % buttons.length)?.focus();
    else if (event.key === 'Escape' || event.key === 'Tab') shut(true);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  addEventListener('pointerdown', outside, true);
  addEventListener('resize', away);
  buttons[0]?.focus({ preventScroll: true });
}

function itemOf(item: Item): HTMLElement {
  const button = element('button', item.danger ? 'item danger' : 'item', ...(item.icon ? [icon(item.icon)] : []), element('span', '', item.words));
  button.type = 'button';
  button.setAttribute('role', 'menuitem');
  button.tabIndex = -1;
  button.addEventListener('click', () => {
    closeMenu();
    item.run();
  });
  return button;
}

function separator(): HTMLElement {
  const line = element('div', 'separator');
  line.setAttribute('role', 'separator');
  return line;
}

function below(from: HTMLElement): { x: number; y: number } {
  const box = from.getBoundingClientRect();
  return { x: box.right, y: box.bottom + 4 };
}

/** Puts the menu where all of it is in the window. */
function place(menu: HTMLElement, { x, y }: { x: number; y: number }): void {
  const { width, height } = menu.getBoundingClientRect();
  const left = Math.max(MARGIN_PX, Math.min(x, innerWidth - width - MARGIN_PX));
  const top = Math.max(MARGIN_PX, Math.min(y, innerHeight - height - MARGIN_PX));
  menu.style.left = `${left}px`;
  menu.style.top = `${top}px`;
}
