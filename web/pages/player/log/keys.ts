// The keyboard and the pointer in the list: arrow keys go from message to message and to its picture, and a menu opens on
// one.

import { type Message } from './entry.ts';
import { type List } from './list.ts';

export type OpenMenu = (message: Message, from: HTMLElement, point?: { x: number; y: number }) => void;

export function listenInList(root: HTMLElement, list: List, open: OpenMenu): void {
  const buttons = (): HTMLElement[] => [...root.querySelectorAll<HTMLElement>('.more, .reply, .picture')];
  root.addEventListener('keydown', (event) => {
    if (event.key !== 'ArrowUp' && event.key !== 'ArrowDown') return;
    const all = buttons();
    const at = all.indexOf(document.activeElement as HTMLElement);
    // From the list itself, up goes to the newest message; down scrolls as usual.
    const to = at < 0 ? (event.key === 'ArrowUp' ? all.length - 1 : -1) : at + (event.key === 'ArrowUp' ? -1 : 1);
    const next = to < 0 ? undefined : all[to];
    if (at < 0 && !next) return;
    event.preventDefault();
    if (next) next.focus();
    else if (to >= all.length) root.focus();
  });
  const openAt = (event: MouseEvent, from: HTMLElement, point?: { x: number; y: number }): void => {
    const message = list.messageAt(event.target as Node);
    if (!message || message.held !== null) return;
    event.preventDefault();
    open(message, from, point);
  };
  root.addEventListener('click', (event) => {
    const target = event.target as Element;
    const more = target.closest<HTMLElement>('.more');
    const who = target.closest<HTMLElement>('.who');
    if (more) openAt(event, more);
    else if (who) openAt(event, who.closest('.row')?.querySelector<HTMLElement>('.more') ?? root, { x: event.clientX, y: event.clientY });
  });
  root.addEventListener('contextmenu', (event) => {
    // A selected text keeps the menu of the browser.
    if (!(getSelection()?.isCollapsed ?? true)) return;
    openAt(event, root, { x: event.clientX, y: event.clientY });
  });
}
