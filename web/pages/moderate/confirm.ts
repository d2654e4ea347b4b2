// Asks before an action that many see and that no action takes back.

import { byId, element } from '@barrage/ui/dom.ts';
import { t } from './texts/i18n.ts';

/** Opens the dialog. Resolves to whether the moderator confirmed. */
export function confirmed(title: string, effect: string): Promise<boolean> {
  const dialog = byId<HTMLDialogElement>('confirm');
  byId('confirm-title').textContent = title;
  byId('confirm-effects').replaceChildren(element('p', 'danger', effect));
  byId('confirm-go').textContent = t('confirm');
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'go'), { once: true });
  });
}
