// The question whether this device shall notify the viewer. It stands in the page, behind something that the viewer did
// which makes notifications useful; the browser is asked only when the viewer says yes.

import { element } from '@barrage/ui/dom.ts';
import { keep, recall } from '@barrage/ui/storage.ts';
import { inLanguage } from '../page/i18n.ts';
import { type Push } from './push.ts';
import { t } from './texts.ts';

/** Until when the question is not asked again. */
const LATER = 'barrage.push.later';
const LATER_MS = 30 * 24 * 3_600_000;

/** Asks, unless the viewer has answered before. */
export function offer(push: Push): void {
  if (push.state !== 'off' || Number(recall('local', LATER)) > Date.now() || document.getElementById('push-offer')) return;
  const words = element('p', '');
  const yes = element('button', 'send');
  const no = element('button', 'chip');
  yes.type = no.type = 'button';
  const bar = element('section', 'push-offer', words, yes, no);
  bar.id = 'push-offer';
  const write = (): void => {
    bar.setAttribute('aria-label', t('title'));
    words.textContent = t('offer');
    yes.textContent = t('allow');
    no.textContent = t('notNow');
  };
  inLanguage(write);
  no.addEventListener('click', () => {
    keep('local', LATER, String(Date.now() + LATER_MS));
    bar.remove();
  });
  yes.addEventListener('click', async () => {
    yes.disabled = true;
    // A refusal of the browser is an answer as well.
    const state = await push.on().catch(() => 'off' as const);
    if (state !== 'off') return bar.remove();
    words.textContent = t('failed');
    yes.disabled = false;
  });
  // A modal dialog hides everything outside of it.
  ([...document.querySelectorAll('dialog[open]')].at(-1) ?? document.body).append(bar);
}
