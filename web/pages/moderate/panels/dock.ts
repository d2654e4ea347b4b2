// A link to this console for a dock, such as one of OBS: with a token of this room that ends by itself.

import { ApiFailure } from '@barrage/ui/api.ts';
import { byId } from '@barrage/ui/dom.ts';
import { dateTime } from '@barrage/ui/format.ts';
import { inLanguage } from '@barrage/ui/language.ts';
import { type Desk } from '../desk.ts';
import { type DockToken, type RoomApi } from '../room_api.ts';
import { say, t } from '../texts/i18n.ts';

/** Longest timer of a browser. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** Returns the address of the console of a room. The token stands in the fragment, which no server and no log sees. */
export function dockLink(page: string, room: string, token: string): string {
  const url = new URL(page);
  url.search = new URLSearchParams({ room }).toString();
  url.hash = new URLSearchParams({ token }).toString();
  return url.href;
}

export class DockPanel {
  readonly #field = byId<HTMLInputElement>('dock-link');
  readonly #show = byId<HTMLButtonElement>('dock-show');
  readonly #copied = byId('dock-copied');
  #made: DockToken | null = null;
  #end: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly api: RoomApi,
    private readonly desk: Desk,
  ) {
    byId<HTMLFormElement>('dock-form').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#make(Number(byId<HTMLSelectElement>('dock-secs').value));
    });
    byId('dock-copy').addEventListener('click', () => void this.#copy());
    this.#show.addEventListener('click', () => this.#reveal(this.#field.type === 'password'));
    inLanguage(() => this.#write());
  }

  stop(): void {
    this.#take(null);
  }

  async #make(secs: number): Promise<void> {
    try {
      this.#take(await this.api.dockToken(secs));
      byId('dock-copy').focus();
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      this.desk.fail(t('dockMake'), error);
    }
  }

  /** Shows a new link until its token ends. */
  #take(made: DockToken | null): void {
    clearTimeout(this.#end);
    this.#made = made;
    this.#copied.textContent = '';
    this.#field.value = made ? dockLink(location.origin + location.pathname, made.room, made.token) : '';
    byId('dock-made').hidden = made === null;
    // A screen that is shared must not show it.
    this.#reveal(false);
    this.#write();
    if (made) this.#end = setTimeout(() => this.#take(null), Math.min(Math.max(made.expires_at_ms - Date.now(), 0), TIMER_MS_MAX));
  }

  #reveal(isShown: boolean): void {
    this.#field.type = isShown ? 'text' : 'password';
    this.#show.setAttribute('aria-pressed', String(isShown));
    say(this.#show, isShown ? 'dockHide' : 'dockShow');
  }

  async #copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(this.#field.value);
      say(this.#copied, 'dockCopied');
    } catch {
      // A page without TLS may not write to the clipboard: the person copies by hand.
      this.#reveal(true);
      this.#field.select();
      say(this.#copied, 'dockSelect');
    }
  }

  #write(): void {
    byId('dock-end').textContent = this.#made ? t('dockEnds', { time: dateTime(this.#made.expires_at_ms) }) : '';
  }
}
