// A button for pictures, clips and files, and the state of the chosen file above a text box until it is sent or taken away.
// The file goes up at once, while its text is written. The composer and each conversation of the inbox have one.

import { type Medium, type TokenSource } from '@barrage/client';
import { openMedia, type Media, type Upload, type UploadState } from '@barrage/client/media';
import { element, icon } from '@barrage/ui/dom.ts';
import { bytes as sizeOf } from '@barrage/ui/format.ts';
import { inLanguage } from '../page/i18n.ts';
import { coverOf } from './cover.ts';
import { canRecord, Recorder } from './recorder.ts';
import { timeOf } from './size.ts';
import { t } from './texts.ts';

/** Height of the preview in pixels. */
const PREVIEW_PX = 80;
/** Types that the file dialog of a room offers. What the server refuses, it refuses with a sentence. */
const TYPES = 'image/jpeg,image/png,image/webp,image/gif,image/heic,video/mp4,video/webm';

/** What a text box may send: a room takes pictures and clips, a letter takes voice notes and files too. */
export type Takes = 'shown' | 'any';

export class Attachment {
  /** State of the chosen file; hidden without one. */
  readonly bar = element('div', 'attached');
  readonly button = element('button', 'round picture-button', icon('picture'));
  /** The button of voice notes, which records until it is pressed again; hidden where nothing can record. */
  readonly voice = element('button', 'round voice-button', icon('microphone'));
  /** The file dialog, which the button opens. */
  readonly input = element('input', 'hidden picture-file');
  #media: Media;
  #preview = element('canvas', 'attached-preview');
  #words = element('span', 'attached-words');
  #progress = element('progress', 'attached-progress');
  /** Uploads of what is chosen: the file, and the cover of a clip. */
  #uploads: Upload[] = [];
  #state: UploadState | null = null;
  #recorder: Recorder | null = null;
  #fileName: string | undefined;
  /** Seconds of a voice note. */
  #secs = 0;
  #clock: ReturnType<typeof setInterval> | undefined;
  #endLanguage: () => void;

  /** Pictures that are pasted into `text` are taken, too. */
  constructor(
    token: TokenSource,
    hosts: readonly string[],
    chunkBytes: number | undefined,
    text: HTMLElement,
    private readonly takes: Takes,
  ) {
    this.#media = openMedia({ hosts, token, chunkBytes });
    const remove = element('button', 'bare', icon('close'));
    remove.type = this.button.type = this.voice.type = 'button';
    this.#preview.setAttribute('aria-hidden', 'true');
    this.#words.setAttribute('role', 'status');
    this.input.type = 'file';
    if (takes === 'shown') this.input.accept = TYPES;
    this.input.tabIndex = -1;
    this.bar.append(this.#preview, this.#words, this.#progress, remove);
    this.bar.hidden = true;
    this.voice.hidden = takes === 'shown' || !canRecord();
    this.button.addEventListener('click', () => this.input.click());
    this.voice.addEventListener('click', () => void this.#record());
    remove.addEventListener('click', () => this.clear());
    this.input.addEventListener('change', () => {
      const file = this.input.files?.[0];
      this.input.value = '';
      if (file) this.#take(file);
    });
    text.addEventListener('paste', (event) => this.#pasted(event));
    this.#endLanguage = inLanguage(() => {
      const attach = t(takes === 'shown' ? 'attach' : 'attachAny');
      for (const node of [this.button, this.input]) node.setAttribute('aria-label', attach);
      remove.setAttribute('aria-label', t('remove'));
      this.button.title = attach;
      this.#progress.setAttribute('aria-label', t('picture'));
      this.#write();
    });
  }

  /** Reference of a file that can be sent now. */
  get reference(): string | null {
    return this.#state?.kind === 'ready' ? this.#state.reference : null;
  }

  /** The medium that can be sent now. */
  get medium(): Medium | null {
    return this.#state?.kind === 'ready' ? this.#state.medium : null;
  }

  /** Name of the chosen file; undefined for a voice note. */
  get fileName(): string | undefined {
    return this.#fileName;
  }

  /** Whether a file is on its way. */
  get isBusy(): boolean {
    const { kind } = this.#state ?? {};
    return kind === 'preparing' || kind === 'sending' || kind === 'checking';
  }

  /** Shows the button while the room allows pictures. */
  allow(allowed: boolean): void {
    this.button.hidden = !allowed;
    if (!allowed) this.clear();
  }

  /** Takes the file away. One that is on its way is removed from the server, too. */
  clear(): void {
    const uploads = this.#uploads;
    this.#recorder?.stop();
    this.#uploads = [];
    this.#state = this.#recorder = null;
    this.#fileName = undefined;
    this.#secs = 0;
    clearInterval(this.#clock);
    for (const upload of uploads) upload.cancel();
    this.#write();
  }

  /** Takes the file away for good: its text box is gone. */
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
    this.#fileName = file.name === '' ? undefined : file.name;
    const upload = this.#media.upload(file);
    if (file.type.startsWith('video/')) return void this.#takeClip(file, upload);
    this.#follow(upload, (state) => state);
    void this.#draw(file);
  }

  /** Sends a clip with a frame of it as its cover. */
  async #takeClip(file: File, upload: Upload): Promise<void> {
    // Ready is only what has its cover.
    this.#follow(upload, (state) => (state.kind === 'ready' ? { kind: 'checking' } : state));
    const frame = await coverOf(file);
    if (!this.#has(upload)) return;
    if (frame) void this.#draw(frame);
    const cover = frame && this.#media.upload(frame, { name: 'cover.webp', scales: false });
    if (cover) this.#uploads.push(cover);
    const [clip, picture] = await Promise.all([upload.done, cover?.done ?? null]);
    if (!this.#has(upload) || clip.kind !== 'ready') return;
    if (picture?.kind !== 'ready') return this.#enter(this.takes === 'any' ? clip : { kind: 'refused', code: 'cover', message: t('noCover') });
    const signed = await this.#media.reference(clip.medium.digest, { cover: picture.medium.digest });
    if (!this.#has(upload)) return;
    this.#enter(signed ? { kind: 'ready', medium: signed.media, reference: signed.reference } : clip);
  }

  /** Begins a voice note, or ends the one that is being recorded. */
  async #record(): Promise<void> {
    if (this.#recorder) return this.#recorder.stop();
    this.clear();
    // The question for the microphone may stand for long: one at a time.
    this.voice.disabled = true;
    try {
      const recorder = await Recorder.begin(() => {
        if (this.#recorder !== recorder) return;
        this.#secs = recorder.secs;
        this.#recorder = null;
        clearInterval(this.#clock);
        this.#write();
      });
      this.#recorder = recorder;
    } catch {
      return this.#enter({ kind: 'refused', code: 'microphone', message: '' });
    } finally {
      this.voice.disabled = false;
    }
    this.#preview.width = 0;
    this.#clock = setInterval(() => this.#write(), 1_000);
    this.#follow(this.#media.upload(this.#recorder.bytes, { name: 'voice' }), (state) => state);
  }

  #follow(upload: Upload, seen: (state: UploadState) => UploadState): void {
    this.#uploads.push(upload);
    upload.on('state', (state) => {
      if (!this.#has(upload)) return;
      if (state.kind === 'refused') this.#recorder?.stop();
      this.#enter(seen(state));
    });
    this.#enter(seen(upload.state));
  }

  #has(upload: Upload): boolean {
    return this.#uploads.includes(upload);
  }

  #enter(state: UploadState): void {
    this.#state = state;
    this.#write();
  }

  /** Draws the chosen picture or the cover small: the page's policy allows no address of a file. */
  async #draw(picture: Blob): Promise<void> {
    this.#preview.width = this.#preview.height = PREVIEW_PX;
    try {
      const bitmap = await createImageBitmap(picture, { resizeHeight: PREVIEW_PX, resizeQuality: 'medium' });
      this.#preview.width = Math.min(bitmap.width, PREVIEW_PX * 2);
      this.#preview.getContext('2d')?.drawImage(bitmap, 0, 0);
      bitmap.close();
    } catch {
      // What the browser cannot draw, the server may read still; a file has no picture.
      this.#preview.width = 0;
    }
  }

  #write(): void {
    const state = this.#state;
    const isRecording = this.#recorder !== null;
    this.voice.setAttribute('aria-pressed', String(isRecording));
    this.voice.title = t(isRecording ? 'stopRecording' : 'record');
    this.voice.setAttribute('aria-label', this.voice.title);
    this.bar.hidden = state === null;
    this.bar.dataset['state'] = isRecording ? 'recording' : (state?.kind ?? '');
    if (state === null) return;
    this.#preview.hidden = this.#preview.width === 0;
    this.#words.textContent = this.#wordsOf(state);
    // A screen reader does not read a clock.
    this.#words.setAttribute('aria-live', isRecording ? 'off' : 'polite');
    this.bar.classList.toggle('refused', state.kind === 'refused');
    this.#progress.hidden = !this.isBusy || isRecording;
    if (state.kind === 'sending') {
      this.#progress.max = state.bytes;
      this.#progress.value = state.sentBytes;
    } else {
      this.#progress.removeAttribute('value');
    }
  }

  #wordsOf(state: UploadState): string {
    if (this.#recorder) return t('recording', { time: timeOf(this.#recorder.secs), size: sizeOf(state.kind === 'sending' ? state.sentBytes : 0) });
    const words = wordsOf(state);
    const what = this.#secs > 0 ? t('recorded', { time: timeOf(this.#secs) }) : this.takes === 'any' ? this.#fileName : undefined;
    return what === undefined || state.kind === 'refused' ? words : `${what} · ${words}`;
  }
}

function wordsOf(state: UploadState): string {
  switch (state.kind) {
    case 'sending':
      return state.isWaiting ? t('waiting') : t('sending', { percent: Math.floor((100 * state.sentBytes) / Math.max(state.bytes, 1)) });
    case 'checking':
    case 'ready':
      return t(state.kind);
    case 'refused':
      if (state.code === 'microphone') return t('noMicrophone');
      return state.code === 'network' ? t('network') : t('refused', { message: state.message });
    default:
      return t('preparing');
  }
}
