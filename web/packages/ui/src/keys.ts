// Keys of a page. They act while no text is being written and no dialog is open, and can be switched
// off, for people who dictate. The list on the page is made from the same table.

import { byId, element } from './dom.ts';
import { inLanguage } from './language.ts';

/** Keys with one name in the list; each has what it does. */
export interface Binding<Key extends string> {
  label: Key;
  keys: [key: string, run: () => void][];
}

/** Names of keys that are no letters, as the list shows them. */
const NAMES: Record<string, string> = { ArrowUp: '↑', ArrowDown: '↓', ArrowLeft: '←', ArrowRight: '→', ' ': '␣', Escape: 'Esc' };

/** Binds the keys while `#keys-on` is checked, and lists them in `#keys-list` with the page's texts. */
export function bindKeys<Key extends string>(bindings: Binding<Key>[], t: (key: Key) => string): void {
  const byKey = new Map(bindings.flatMap(({ keys }) => keys));
  const box = byId<HTMLInputElement>('keys-on');
  addEventListener('keydown', (event) => {
    if (!box.checked || event.ctrlKey || event.metaKey || event.altKey || (isWriting(event.target) && event.key !== 'Escape') || document.querySelector('dialog[open]')) return;
    const pressed = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const run = byKey.get(pressed);
    // Space on a button is its click.
    if (!run || (pressed === ' ' && event.target instanceof Element && event.target.closest('button, summary, a, [type=checkbox]'))) return;
    event.preventDefault();
    run();
  });
  const list = byId('keys-list');
  inLanguage(() => {
    list.replaceChildren(...bindings.map(({ keys, label }) => element('li', '', ...keys.map(([key]) => element('kbd', '', NAMES[key] ?? key.toUpperCase())), ' ', t(label))));
  });
}

function isWriting(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('textarea, select, input:not([type=checkbox])') !== null;
}
