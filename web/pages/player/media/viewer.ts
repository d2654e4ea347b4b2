// The dialog that shows one picture large. Its placeholder has the size of the picture at once.

import { type Medium } from '@barrage/client';
import { element, icon } from '@barrage/ui/dom.ts';
import { inLanguage } from '../page/i18n.ts';
import { placeholderOf } from './pictures.ts';
import { boxOf } from './size.ts';
import { t } from './texts.ts';

/** Share of the window that a picture fills at most. */
const SHARE = 0.92;

export class Viewer {
  #dialog = element('dialog', 'viewer');
  #frame = element('div', 'viewer-frame');
  #from: HTMLElement | null = null;
  /** Number of the picture that was asked for last: the bytes of an earlier one come too late. */
  #asked = 0;

  /** `addressOf` returns an address that can be read now; null for a picture that is gone. */
  constructor(private readonly addressOf: (medium: Medium, side: number) => Promise<string | null>) {
    const close = element('button', 'bare viewer-close', icon('close'));
    close.type = 'button';
    close.addEventListener('click', () => this.#dialog.close());
    this.#dialog.append(close, this.#frame);
    this.#dialog.addEventListener('click', (event) => {
      if (event.target === this.#dialog) this.#dialog.close();
    });
    this.#dialog.addEventListener('close', () => {
      this.#asked += 1;
      this.#frame.replaceChildren();
      this.#dialog.remove();
      if (this.#from?.isConnected) this.#from.focus({ preventScroll: true });
    });
    inLanguage(() => close.setAttribute('aria-label', t('close')));
  }

  async open(medium: Medium, name: string, from: HTMLElement): Promise<void> {
    this.#from = from;
    this.#asked += 1;
    const asked = this.#asked;
    const box = boxOf(medium, { width: innerWidth * SHARE, height: innerHeight * SHARE });
    this.#frame.replaceChildren(...(medium.thumbhash === undefined ? [] : [placeholderOf(medium.thumbhash)]));
    this.#frame.style.width = `${box.width}px`;
    this.#frame.style.height = `${box.height}px`;
    const label = t('pictureOf', { name });
    this.#dialog.setAttribute('aria-label', label);
    document.body.append(this.#dialog);
    this.#dialog.showModal();
    const address = await this.addressOf(medium, Math.max(box.width, box.height));
    if (asked !== this.#asked || address === null) return;
    const image = element('img', 'picture-image');
    image.alt = label;
    image.referrerPolicy = 'no-referrer';
    image.src = address;
    this.#frame.append(image);
  }
}
