// A picture button, and the state of the chosen file above a text box until it is sent or taken away. The file goes up at
// once, while its text is written. The composer and each conversation of the inbox have one.

import { type Medium, type TokenSource } from '@barrage/client';
import { openMedia, type Media, type Upload, type UploadState } from '@barrage/client/media';
import { element, icon } from '@barrage/ui/dom.ts';
import { inLanguage } from '../page/i18n.ts';
import { t } from './texts.ts';

/** Height of the preview in pixels. */
const PREVIEW_PX = 80;
/** Types that the file dialog offers. What the server refuses, it refuses with a sentence. */
const TYPES = 'image/jpeg,image/png,image/webp,image/gif,image/heic';

export class Attachment {
  /** State of the chosen file; hidden without one. */
  readonly bar = element('div', 'attached');
  readonly button = element('button', 'round picture-button', icon('picture'));
  /** The file dialog, which the button opens. */
  readonly input = element('input', 'hidden picture-file');
  #media: Media;
  #preview = element('canvas', 'attached-preview');
  #words = element('span', 'attached-words');
  #progress = element('progress', 'attached-progress');
  #upload: Upload | null = null;
  #state: UploadState | null = null;
  #endLanguage: () => void;

  /** Pictures that are pasted into `text` are taken, too. */
  constructor(token: TokenSource, hosts: readonly string[], chunkBytes: number | undefined, text: HTMLElement) {
    this.#media = openMedia({ hosts, token, chunkBytes });
    const remove = element('button', 'bare', icon('close'));
    remove.type = this.button.type = 'button';
    this.#preview.setAttribute('aria-hidden', 'true');
    this.#words.setAttribute('role', 'status');
    this.input.type = 'file';
    this.input.accept = TYPES;
    this.input.tabIndex = -1;
    this.bar.append(this.#preview, this.#words, this.#progress, remove);
    this.bar.hidden = true;
    this.button.addEventListener('click', () => this.input.click());
    remove.addEventListener('click', () => this.clear());
    this.input.addEventListener('change', () => {
      const file = this.input.files?.[0];
      this.input.value = '';
      if (file) this.#take(file);
    });
    text.addEventListener('paste', (event) => this.#pasted(event));
    this.#endLanguage = inLanguage(() => {
      for (const [node, key] of [[this.button, 'attach'], [remove, 'remove'], [this.input, 'attach']] as const) node.setAttribute('aria-label', t(key));
      this.button.title = t('attach');
      this.#progress.setAttribute('aria-label', t('picture'));
      this.#write();
    });
  }

  /** Reference of a picture that can be sent now. */
  get reference(): string | null {
    return this.#state?.kind === 'ready' ? this.#state.reference : null;
  }

  /** The picture that can be sent now. */
  get medium(): Medium | null {
    return this.#state?.kind === 'ready' ? this.#state.medium : null;
  }

  /** Whether a picture is on its way. */
  get isBusy(): boolean {
    const { kind } = this.#state ?? {};
    return kind === 'preparing' || kind === 'sending' || kind === 'checking';
  }

  /** Shows the button while the room allows pictures. */
  allow(allowed: boolean): void {
    this.button.hidden = !allowed;
    if (!allowed) this.clear();
  }

  /** Takes the picture away. One that is on its way is removed from the server, too. */
  clear(): void {
    const upload = this.#upload;
    this.#upload = this.#state = null;
    upload?.cancel();
    this.#write();
  }

  /** Takes the picture away for good: its text box is gone. */
  close(): void {
    this.clear();
    this.#endLanguage();
  }

  #pasted(event: ClipboardEvent): void {
    const file = [...(event.clipboardData?.files ?? [])].find(({ type }) => type.startsWith('image/'));
    if (!file || this.button.hidden) return;
    event.preventDefault();
    this.#take(file);
  }

  #take(file: File): void {
    this.clear();
    const upload = this.#media.upload(file);
    this.#upload = upload;
    void this.#draw(file);
    const enter = (state: UploadState): void => {
      if (this.#upload !== upload) return;
      this.#state = state;
      this.#write();
    };
    upload.on('state', enter);
    enter(upload.state);
  }

  /** Draws the chosen file small: the page's policy allows no address of a file. */
  async #draw(file: File): Promise<void> {
    this.#preview.width = this.#preview.height = PREVIEW_PX;
    try {
      const bitmap = await createImageBitmap(file, { resizeHeight: PREVIEW_PX, resizeQuality: 'medium' });
      this.#preview.width = Math.min(bitmap.width, PREVIEW_PX * 2);
      this.#preview.getContext('2d')?.drawImage(bitmap, 0, 0);
      bitmap.close();
    } catch {
      // What the browser cannot draw, the server may read still.
    }
  }

  #write(): void {
    const state = this.#state;
    this.bar.hidden = state === null;
    this.bar.dataset['state'] = state?.kind ?? '';
    if (state === null) return;
    this.#words.textContent = wordsOf(state);
    this.bar.classList.toggle('refused', state.kind === 'refused');
    this.#progress.hidden = !this.isBusy;
    if (state.kind === 'sending') {
      this.#progress.max = state.bytes;
      this.#progress.value = state.sentBytes;
    } else {
      this.#progress.removeAttribute('value');
    }
  }
}

function wordsOf(state: UploadState): string {
  switch (state.kind) {
    case 'sending':
      return state.isWaiting ? t('waiting') : t('sending', { percent: Math.floor((100 * state.sentBytes) / state.bytes) });
    case 'checking':
    case 'ready':
      return t(state.kind);
    case 'refused':
      return state.code === 'network' ? t('network') : t('refused', { message: state.message });
    default:
      return t('preparing');
  }
}
