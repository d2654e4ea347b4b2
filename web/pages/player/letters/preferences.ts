// Who may begin to write to this user, whether both sides see what was read, and whom the user blocks.

import { element, icon } from '@barrage/ui/dom.ts';
import { type Preferences } from '@barrage/client/inbox';
import { input } from '../page/choices.ts';
import { type Desk, type View } from './desk.ts';
import { t } from './texts/i18n.ts';
import { iconButton } from './thread/letter_box.ts';

const POLICIES: readonly Preferences['policy'][] = ['requests', 'everyone', 'known'];

export class PreferencesView implements View {
  readonly node = element('div', 'letters-view letter-preferences');
  readonly menu = null;

  constructor(private readonly desk: Desk) {
    this.update();
    void desk.blocks.load();
  }

  title(): string {
    return t('preferences');
  }

  subtitle(): string {
    return '';
  }

  update(): void {
    const { preferences } = this.desk.blocks;
    const focused = (document.activeElement as HTMLElement | null)?.dataset['key'];
    this.node.replaceChildren(...(preferences === null ? [element('p', 'empty', t('notLoaded'))] : this.#rules(preferences)));
    if (focused !== undefined) this.node.querySelector<HTMLElement>(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  focus(): void {
    this.node.querySelector<HTMLElement>('input:checked, input')?.focus();
  }

  close(): void {
    // It listens to nothing.
  }

  #rules(now: Preferences): HTMLElement[] {
    const { blocks } = this.desk;
    const policies = POLICIES.map((policy) => {
      const radio = input('radio', 'letter-policy', policy, now.policy === policy);
      radio.dataset['key'] = policy;
      radio.addEventListener('change', () => void blocks.prefer({ policy }));
      return element('label', 'letter-choice', radio, element('span', '', t(`policy_${policy}`)));
    });
    const receipts = input('checkbox', 'letter-receipts', 'shown', now.receipts === 'shown');
    receipts.dataset['key'] = 'receipts';
    receipts.addEventListener('change', () => void blocks.prefer({ receipts: receipts.checked ? 'shown' : 'hidden' }));
    return [
      element('fieldset', '', element('legend', '', t('whoMayWrite')), ...policies),
      element('fieldset', '', element('label', 'letter-choice', receipts, element('span', '', t('receipts'))), element('p', 'empty', t('receiptsHint'))),
      element('h3', '', t('blockedUsers')),
      this.#blocked(),
    ];
  }

  #blocked(): HTMLElement {
    const { blocks, names } = this.desk;
    if (blocks.users.length === 0) return element('p', 'empty', t('noneBlocked'));
    const rows = blocks.users.map((user) => {
      const name = names.of(user);
      const remove = iconButton('chip-remove', 'close', t('remove', { name }));
      remove.addEventListener('click', () => void blocks.unblock(user));
      return element('li', 'blocked', icon('block'), element('bdi', '', name), remove);
    });
    return element('ul', 'blocked-list', ...rows);
  }
}
