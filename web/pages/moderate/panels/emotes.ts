// The room's own emotes, stickers and badges: a host uploads a picture, names it, and removes what is old. The server takes
// the set as a whole, with what it was read as.

import { openMedia, type UploadState } from '@barrage/client/media';
import { ApiFailure } from '@barrage/ui/api.ts';
import { byId, element } from '@barrage/ui/dom.ts';
import { emotesOf, type SetEmote, uploadedUrl } from '@barrage/ui/emote_sets.ts';
import { inLanguage, isolated } from '@barrage/ui/language.ts';
import { mediaHost } from '../chat/picture.ts';
import { confirmed } from '../confirm.ts';
import { type Desk } from '../desk.ts';
import { type RoomApi } from '../room_api.ts';
import { t, type Key } from '../texts/i18n.ts';

const KINDS: Record<SetEmote['kind'], Key> = { emote: 'kindEmote', sticker: 'kindSticker', badge: 'kindBadge' };

export class EmotePanel {
  readonly #list = byId('emote-list');
  readonly #note = byId('emote-note');
  readonly #form = byId<HTMLFormElement>('emote-form');
  readonly #file = byId<HTMLInputElement>('emote-file');
  readonly #name = byId<HTMLInputElement>('emote-name');
  readonly #kind = byId<HTMLSelectElement>('emote-kind');
  readonly #add = byId<HTMLButtonElement>('emote-add');
  /** The set as the server has answered it. */
  #set: { id: string }[] = [];
  #host: string | null = null;
  #state: UploadState | null = null;

  /** `token` is that of the moderator, whose upload becomes the emote. */
  constructor(
    private readonly api: Pick<RoomApi, 'emotes' | 'setEmotes'>,
    private readonly desk: Desk,
    private readonly token: string,
  ) {
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#submit();
    });
    inLanguage(() => {
      for (const option of this.#kind.options) option.textContent = t(KINDS[option.value as SetEmote['kind']]);
      this.#render();
    });
    void this.read();
  }

  /** Reads the set: at the beginning, and when it has changed. */
  async read(): Promise<void> {
    try {
      const [{ emotes }, host] = await Promise.all([this.api.emotes(), mediaHost()]);
      this.#set = emotes;
      this.#host = host;
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      this.desk.fail(t('emotes'), error);
    }
    this.#form.hidden = this.#host === null;
    this.#render();
  }

  async #submit(): Promise<void> {
    const file = this.#file.files?.[0];
    const name = this.#name.value.trim();
    if (!file || name === '' || this.#host === null) return;
    this.#add.disabled = true;
    const upload = openMedia({ hosts: this.#host, token: () => this.token, storage: null }).upload(file);
    const enter = (state: UploadState): void => {
      this.#state = state;
      this.#write();
    };
    upload.on('state', enter);
    const end = await upload.done;
    enter(end);
    if (end.kind === 'ready') {
      const one = { id: newId(), name, kind: this.#kind.value, reference: end.reference };
      if (await this.#put([...this.#set, one], t('didAddEmote', { name: isolated(name) }))) {
        this.#form.reset();
        this.#name.focus();
      }
      this.#state = null;
    }
    this.#add.disabled = false;
    this.#write();
  }

  async #put(emotes: { id: string }[], what: string): Promise<boolean> {
    const answer = await this.desk.run(what, () => this.api.setEmotes(emotes));
    await this.read();
    return answer !== null;
  }

  async #remove({ id, name }: SetEmote): Promise<void> {
    const values = { name: isolated(name) };
    if (!(await confirmed(t('emoteAsk', values), t('emoteEffect')))) return;
    await this.#put(this.#set.filter((one) => one.id !== id), t('didRemoveEmote', values));
    (this.#list.querySelector<HTMLElement>('button') ?? this.#name).focus();
  }

  #render(): void {
    this.#list.replaceChildren(...emotesOf({ emotes: this.#set }).map((one) => this.#row(one)));
    this.#write();
  }

  #row(one: SetEmote): HTMLElement {
    const image = element('img', '');
    image.alt = '';
    image.loading = 'lazy';
    image.referrerPolicy = 'no-referrer';
    const source = one.media === undefined ? one.url.replaceAll('{px}', String(one.px.at(-1) ?? '')) : uploadedUrl(one, this.#host);
    if (source !== null) image.src = source;
    const remove = element('button', 'small severe', t('emoteRemove'));
    remove.type = 'button';
    remove.setAttribute('aria-label', t('emoteRemoveOf', { name: one.name }));
    remove.addEventListener('click', () => void this.#remove(one));
    return element('li', 'emote-one', image, element('bdi', 'emote-word', one.name), element('span', 'badge', t(KINDS[one.kind])), remove);
  }

  #write(): void {
    this.#note.textContent = this.#words();
  }

  #words(): string {
    const state = this.#state;
    if (state === null) return this.#host === null ? t('emotesNoMedia') : this.#set.length === 0 ? t('emotesEmpty') : '';
    if (state.kind === 'refused') return t('emoteRefused', { message: isolated(state.message) });
    return state.kind === 'checking' ? t('emoteChecking') : t('emoteUploading');
  }
}

function newId(): string {
  return `e-${Date.now().toString(36)}${crypto.getRandomValues(new Uint16Array(1)).join('')}`;
}
