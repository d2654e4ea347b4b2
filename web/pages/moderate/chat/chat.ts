// The chat on the page: rows of the log, one toolbar for the row under the pointer or the selected one,
// and the pause.

import { byId } from '@barrage/ui/dom.ts';
import { nextFrame } from '@barrage/ui/frames.ts';
import { inLanguage } from '@barrage/ui/language.ts';
import { type Body, type Written } from '@barrage/client';
import { say, t } from '../texts/i18n.ts';
import { markRow, rowOf, signalText } from './lines.ts';
import { Log, type Line, type Reason } from './log.ts';
import { Toolbar, type LineAction } from './toolbar.ts';

/** A message of a user with its place. */
export interface Picked {
  sequence: number;
  body: Written;
}

export class Chat {
  readonly #log = new Log();
  readonly #list = byId('chat-list');
  readonly #state = byId('chat-state');
  readonly #stop = byId<HTMLButtonElement>('chat-stop');
  readonly #rows = new Map<number, HTMLElement>();
  readonly #notes = new Map<number, string>();
  readonly #toolbar: Toolbar;
  #selected: number | null = null;
  #hovered: number | null = null;

  constructor(act: (action: LineAction, picked: Picked) => void) {
    this.#toolbar = new Toolbar((action) => {
      const picked = this.picked;
      if (picked) act(action, picked);
    });
    this.#list.addEventListener('pointerenter', (event) => event.pointerType === 'mouse' && this.#pause('hover'));
    this.#list.addEventListener('pointerleave', () => {
      this.#hover(null);
      this.#resume('hover');
    });
    this.#list.addEventListener('pointermove', (event) => this.#hover(keyOf(event.target)));
    this.#list.addEventListener('click', (event) => {
      const key = keyOf(event.target);
      if (key !== null && !(event.target instanceof Element && event.target.closest('button'))) this.select(key);
    });
    this.#stop.addEventListener('click', () => this.toggleStop());
    inLanguage(() => this.#tell());
  }

  /** The message that keys and the toolbar act on: the selected one, else the one under the pointer. */
  get picked(): Picked | null {
    const line = this.#log.find(this.#hovered ?? this.#selected ?? -1);
    if (!line || line.sequence === null || line.body === null || line.body.type === 'signal' || line.body.type === 'event') return null;
    return { sequence: line.sequence, body: line.body };
  }

  add(body: Body, sequence: number): void {
    if (body.type === 'signal' && signalText(body) === '') return;
    this.#log.add(body, sequence);
    nextFrame(this.#flush);
  }

  /** Adds a sentence of the console. */
  note(text: string): void {
    const line = this.#log.add(null, null);
    this.#notes.set(line.key, text);
    nextFrame(this.#flush);
  }

  hide(sequence: number): void {
    this.#log.hide(sequence);
    nextFrame(this.#flush);
  }

  purge(user: string, before: number): void {
    this.#log.purge(user, before);
    nextFrame(this.#flush);
  }

  clear(before: number): void {
    this.#log.clear(before);
    nextFrame(this.#flush);
  }

  /** Selects the next or the previous message. */
  move(by: number): void {
    this.#hovered = null;
    const key = this.#log.neighbour(this.#selected, by);
    if (key !== null) this.select(key);
  }

  select(key: number | null): void {
    this.#rows.get(this.#selected ?? -1)?.removeAttribute('aria-current');
    this.#selected = key;
    if (key === null) {
      this.#resume('selected');
      this.#hang();
      return;
    }
    this.#pause('selected');
    const row = this.#rows.get(key);
    row?.setAttribute('aria-current', 'true');
    this.#hang();
    row?.focus({ preventScroll: true });
    row?.scrollIntoView({ block: 'nearest' });
  }

  toggleStop(): void {
    if (this.#log.isPausedBy('stopped')) this.#resume('stopped');
    else this.#pause('stopped');
  }

  #pause(reason: Reason): void {
    this.#log.pause(reason);
    this.#tell();
  }

  #resume(reason: Reason): void {
    const skipped = this.#log.resume(reason);
    if (skipped > 0) this.note(t('skipped', { count: skipped }));
    this.#tell();
    nextFrame(this.#flush);
  }

  #hover(key: number | null): void {
    if (key === this.#hovered) return;
    this.#hovered = key;
    this.#hang();
  }

  /** Puts the toolbar into the row under the pointer, else into the selected one. */
  #hang(): void {
    const picked = this.picked;
    const key = this.#hovered ?? this.#selected ?? -1;
    const row = this.#rows.get(key);
    if (picked && row) this.#toolbar.hang(row, picked.body, key === this.#selected ? 'selected' : 'hovered');
    else this.#toolbar.unhang();
  }

  readonly #flush = (): void => {
    const { lines } = this.#log;
    const first = lines[0]?.key ?? Infinity;
    for (const [key, row] of this.#rows) {
      if (key >= first) break;
      if (row.contains(this.#toolbar.node)) this.#toolbar.unhang();
      row.remove();
      this.#rows.delete(key);
      this.#notes.delete(key);
      if (key === this.#selected) this.select(null);
    }
    const fresh = lines.filter(({ key }) => !this.#rows.has(key));
    this.#list.append(...fresh.map((line) => this.#make(line)));
    for (const line of this.#log.takeTouched()) {
      const row = this.#rows.get(line.key);
      if (row) markRow(row, line);
    }
    if (!this.#log.paused) this.#list.scrollTop = this.#list.scrollHeight;
    this.#tell();
  };

  #make(line: Line): HTMLElement {
    const row = rowOf(line, this.#notes.get(line.key) ?? null);
    this.#rows.set(line.key, row);
    return row;
  }

  #tell(): void {
    const waiting = this.#log.waiting.length + this.#log.skipped;
    if (this.#log.paused) say(this.#state, 'chatPaused', { count: waiting });
    else say(this.#state, 'chatLive');
    this.#state.dataset['level'] = this.#log.paused ? 'warn' : 'ok';
    const isStopped = this.#log.isPausedBy('stopped');
    say(this.#stop, isStopped ? 'chatGoOn' : 'chatStop');
    this.#stop.setAttribute('aria-pressed', String(isStopped));
  }
}

function keyOf(target: EventTarget | null): number | null {
  const row = target instanceof Element ? target.closest<HTMLElement>('li[data-key]') : null;
  return row ? Number(row.dataset['key']) : null;
}
