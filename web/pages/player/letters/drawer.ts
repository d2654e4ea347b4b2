// The drawer beside the stream: one view at a time, and a way back to the one before.

import { element } from '@barrage/ui/dom.ts';
import { type Desk, type Place, type View } from './desk.ts';
import { ListView } from './list/list_view.ts';
import { PreferencesView } from './preferences.ts';
import { inLanguage, t } from './texts/i18n.ts';
import { iconButton } from './thread/letter_box.ts';
import { ThreadView } from './thread/thread_view.ts';

/** Time for which a sentence stays at the foot of the drawer. */
const SENTENCE_MS = 6_000;
/** Views to go back to. */
const DEPTH_MAX = 8;

export class Drawer {
  readonly node = element('section', 'letters');
  #title = element('h2', 'letters-title');
  #subtitle = element('p', 'letters-subtitle');
  #head = element('header', 'letters-head');
  #body = element('div', 'letters-body');
  #sentence = element('p', 'letters-sentence');
  #places: Place[] = [];
  #view: View | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #due = false;

  /** Creates the closed drawer, which `opener` opens. */
  constructor(
    private readonly desk: Desk,
    private readonly opener: HTMLButtonElement,
  ) {
    this.node.hidden = true;
    this.node.setAttribute('role', 'dialog');
    this.#title.id = 'letters-title';
    this.#title.tabIndex = -1;
    this.node.setAttribute('aria-labelledby', this.#title.id);
    this.#sentence.setAttribute('role', 'status');
    this.#sentence.dir = 'auto';
    this.node.append(this.#head, this.#body, this.#sentence);
    this.node.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      event.preventDefault();
      this.back();
    });
    opener.setAttribute('aria-expanded', 'false');
    opener.addEventListener('click', () => (this.isOpen ? this.close() : this.go({ kind: 'folder', folder: 'main' })));
    inLanguage(() => this.isOpen && this.#show());
  }

  get isOpen(): boolean {
    return !this.node.hidden;
  }

  /** Opens a view, and the drawer. */
  go(place: Place): void {
    if (!this.isOpen) this.#places = place.kind === 'folder' && place.folder === 'main' ? [] : [{ kind: 'folder', folder: 'main' }];
    this.#places = [...this.#places, place].slice(-DEPTH_MAX);
    this.node.hidden = false;
    this.opener.setAttribute('aria-expanded', 'true');
    this.#show();
  }

  /** Opens the view before, or closes the drawer at the first one. */
  back(): void {
    this.#places.pop();
    if (this.#places.length === 0) this.close();
    else this.#show();
  }

  close(): void {
    this.#places = [];
    this.#leave();
    this.node.hidden = true;
    this.opener.setAttribute('aria-expanded', 'false');
    this.opener.focus({ preventScroll: true });
  }

  /** Shows what has changed in the inbox, once a frame. */
  update(): void {
    if (this.#due || !this.isOpen) return;
    this.#due = true;
    // A page in the background has no frames; reading and the badge do not depend on them.
    setTimeout(() => {
      this.#due = false;
      this.#view?.update();
      this.#write();
    }, 16);
  }

  say(words: string): void {
    this.#sentence.textContent = words;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#sentence.textContent = '';
    }, SENTENCE_MS);
  }

  #leave(): void {
    this.#view?.close();
    this.#view = null;
    this.#body.replaceChildren();
    this.#sentence.textContent = '';
  }

  #show(): void {
    const place = this.#places.at(-1);
    if (!place) return;
    this.#leave();
    this.#view = this.#viewOf(place);
    this.#body.replaceChildren(this.#view.node);
    this.#buildHead(this.#view);
    this.#write();
    this.#view.focus();
    // A view without anything to act on.
    if (!this.node.contains(document.activeElement)) this.#title.focus();
  }

  #viewOf(place: Place): View {
    switch (place.kind) {
      case 'folder':
        return new ListView(this.desk, place.folder);
      case 'thread':
        return new ThreadView(this.desk, place.thread);
      case 'preferences':
        return new PreferencesView(this.desk);
    }
  }

  #buildHead(view: View): void {
    const head: HTMLElement[] = [];
    if (this.#places.length > 1) {
      const back = iconButton('bare', 'back', t('back'));
      back.addEventListener('click', () => this.back());
      head.push(back);
    }
    head.push(element('div', 'letters-titles', this.#title, this.#subtitle));
    const { menu } = view;
    if (menu) {
      const more = iconButton('bare', 'more', t('more'));
      more.setAttribute('aria-haspopup', 'menu');
      more.addEventListener('click', () => menu(more));
      head.push(more);
    } else if (view instanceof ListView && view.folder === 'main') {
      const settings = iconButton('bare', 'gear', t('preferences'));
      settings.addEventListener('click', () => this.go({ kind: 'preferences' }));
      head.push(settings);
    }
    const close = iconButton('bare', 'close', t('close'));
    close.addEventListener('click', () => this.close());
    head.push(close);
    this.#head.replaceChildren(...head);
  }

  #write(): void {
    this.#title.replaceChildren(element('bdi', '', this.#view?.title() ?? ''));
    const words = this.#view?.subtitle() ?? '';
    this.#subtitle.textContent = words;
    this.#subtitle.hidden = words === '';
  }
}
