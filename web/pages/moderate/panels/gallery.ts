// The gallery: pictures that messages of the room show, the newest first. A moderator looks at them, and removes one
// everywhere. It is read when the moderator asks for it; what is hidden meanwhile leaves it.

import { ApiFailure } from '@barrage/ui/api.ts';
import { byId, element } from '@barrage/ui/dom.ts';
import { dateTime } from '@barrage/ui/format.ts';
import { inLanguage, isolated } from '@barrage/ui/language.ts';
import { pictureOf } from '../chat/picture.ts';
import { confirmed } from '../confirm.ts';
import { type Desk } from '../desk.ts';
import { type RoomApi, type RoomMedium } from '../room_api.ts';
import { say, t } from '../texts/i18n.ts';

/** Pictures of one request. */
const PAGE = 24;
/** Pages that are read for one press: a page may have no picture that is still shown. */
const PAGES_MAX = 5;
/** Pictures in the list. Behind the last one no older ones are offered. */
const SHOWN_MAX = 480;

export class Gallery {
  readonly #list = byId('gallery-list');
  readonly #load = byId<HTMLButtonElement>('gallery-load');
  readonly #older = byId<HTMLButtonElement>('gallery-older');
  readonly #note = byId('gallery-note');
  readonly #rows = new Map<RoomMedium, HTMLElement>();
  #before: number | null = null;
  #isRead = false;

  constructor(
    private readonly api: Pick<RoomApi, 'media'>,
    private readonly desk: Desk,
  ) {
    this.#load.addEventListener('click', () => void this.#read(null));
    this.#older.addEventListener('click', () => void this.#read(this.#before));
    inLanguage(() => this.#render());
  }

  stop(): void {
    this.#rows.clear();
    this.#before = null;
    this.#isRead = false;
    this.#render();
  }

  /** Removes the pictures of messages that are hidden now. */
  hide(matches: (one: RoomMedium) => boolean): void {
    for (const [one, row] of this.#rows) {
      if (!matches(one)) continue;
      // The focus goes on to the next picture.
      if (row.contains(document.activeElement)) (row.nextElementSibling?.querySelector<HTMLElement>('button') ?? this.#load).focus();
      row.remove();
      this.#rows.delete(one);
    }
    this.#write();
  }

  async #read(from: number | null): Promise<void> {
    this.#load.disabled = this.#older.disabled = true;
    const found: RoomMedium[] = [];
    let before = from;
    try {
      for (let page = 0; page < PAGES_MAX && found.length === 0; page += 1) {
        const { media, before: next = null } = await this.api.media(before, PAGE);
        found.push(...media);
        before = next;
        if (next === null) break;
      }
      if (from === null) this.#rows.clear();
      for (const one of found) this.#rows.set(one, this.#row(one));
      this.#before = before;
      this.#isRead = true;
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      this.desk.fail(t('gallery'), error);
    }
    this.#load.disabled = this.#older.disabled = false;
    this.#list.replaceChildren(...this.#rows.values());
    this.#write();
  }

  #row(one: RoomMedium): HTMLElement {
    const { user, name, at_ms: atMs, state, media } = one;
    const shown = name || user;
    const time = element('time', '', dateTime(atMs));
    const row = element('li', 'gallery-one', pictureOf(state === 'shown' ? media : null, shown), element('bdi', 'gallery-who', shown), time);
    // A public picture is that of other rooms, too: an admin decides about it.
    if (state === 'removed' || media.is_public === true) return row;
    const button = element('button', 'small severe', t('galleryRemove'));
    button.type = 'button';
    button.setAttribute('aria-label', t('galleryRemoveOf', { user: shown }));
    button.addEventListener('click', () => void this.#remove(one, isolated(shown)));
    row.append(button);
    return row;
  }

  async #remove({ sequence, media }: RoomMedium, user: string): Promise<void> {
    if (!(await confirmed(t('galleryAsk', { user }), t('galleryEffect')))) return;
    if (!(await this.desk.act({ type: 'remove_media', sequence }, t('didRemovePicture', { user })))) return;
    this.hide((one) => one.sequence === sequence);
    // Other messages with the same picture stay without it.
    for (const one of this.#rows.keys()) if (one.media.digest === media.digest) one.state = 'removed';
    this.#render();
  }

  #render(): void {
    for (const one of this.#rows.keys()) this.#rows.set(one, this.#row(one));
    this.#list.replaceChildren(...this.#rows.values());
    this.#write();
  }

  #write(): void {
    say(this.#load, this.#isRead ? 'galleryRefresh' : 'galleryShow');
    this.#note.textContent = this.#isRead && this.#rows.size === 0 ? t('galleryEmpty') : '';
    this.#older.hidden = this.#before === null || this.#rows.size >= SHOWN_MAX;
  }
}
