// Carries actions out, lists them, and takes them back: for ten seconds each has a button for it.

import { byId, element } from '@barrage/ui/dom.ts';
import { ApiFailure } from '@barrage/ui/api.ts';
import { clock } from '@barrage/ui/format.ts';
import { isolated } from '@barrage/ui/language.ts';
import { type Action, type ActionAnswer, type Before, undoOf } from './action.ts';
import { say, t } from './texts/i18n.ts';
import { type RoomApi } from './room_api.ts';

/** Time in which an action can be taken back. */
export const UNDO_MS = 10_000;
/** Results that the list keeps. */
const RESULTS_MAX = 50;
const TICK_MS = 250;

interface Result {
  row: HTMLElement;
  button: HTMLButtonElement | null;
  undo: Action[];
  untilMs: number;
  what: string;
}

/** Parts of the console that the desk tells about an action. */
export interface DeskEvents {
  before: (user: string | null) => Before;
  done: (action: Action, answer: ActionAnswer) => void;
  signedOut: () => void;
}

export class Desk {
  readonly #list = byId('results');
  readonly #spoken = byId('result-spoken');
  readonly #open: Result[] = [];
  #timer: number | undefined;
  #newest: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly api: RoomApi,
    private readonly events: DeskEvents,
  ) {}

  /** Carries an action out under a name for the list. Returns whether it was. */
  act(action: Action, what: string): Promise<boolean> {
    const running = this.#act(action, what);
    this.#newest = running;
    return running;
  }

  async #act(action: Action, what: string): Promise<boolean> {
    const before = this.events.before('user' in action ? action.user : null);
    const answer = await this.#try(what, () => this.api.act(action));
    if (!answer) return false;
    this.events.done(action, answer);
    this.#tell(what, undoOf(action, before, answer));
    return true;
  }

  /** Carries out another change of the room, which has no action that takes it back. */
  async run<T>(what: string, change: () => Promise<T>): Promise<T | null> {
    const answer = await this.#try(what, change);
    if (answer !== null) this.#tell(what, []);
    return answer;
  }

  /** Takes the newest action back that still can be. One that has no answer yet is waited for. */
  async undoLast(): Promise<void> {
    await this.#newest;
    const newest = this.#open.at(-1);
    if (newest) void this.#undo(newest);
  }

  /** Adds a failure to the list. */
  fail(what: string, failure: ApiFailure): void {
    if (failure.kind === 'unauthorized') return this.events.signedOut();
    this.#add(t('failed', { what: isolated(what), message: isolated(failure.message) }), 'bad');
  }

  async #try<T>(what: string, change: () => Promise<T>): Promise<T | null> {
    try {
      return await change();
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      this.fail(what, error);
      return null;
    }
  }

  #tell(what: string, undo: Action[]): void {
    const row = this.#add(what, 'ok');
    if (undo.length === 0) return;
    const button = element('button', 'small undo');
    button.type = 'button';
    row.append(' ', button);
    const result: Result = { row, button, undo, untilMs: performance.now() + UNDO_MS, what };
    button.addEventListener('click', () => void this.#undo(result));
    this.#open.push(result);
    this.#tick();
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
  }

  async #undo(result: Result): Promise<void> {
    this.#close(result);
    for (const action of result.undo) {
      const answer = await this.#try(t('undoing', { what: result.what }), () => this.api.act(action));
      if (!answer) return;
      this.events.done(action, answer);
    }
    result.row.classList.add('undone');
    this.#add(t('undone', { what: isolated(result.what) }), 'ok');
  }

  /** Shows the seconds that are left, and ends what is over. */
  #tick(): void {
    const nowMs = performance.now();
    for (const result of [...this.#open]) {
      if (nowMs >= result.untilMs) this.#close(result);
      else if (result.button) say(result.button, 'undo', { secs: Math.ceil((result.untilMs - nowMs) / 1_000) });
    }
  }

  #close(result: Result): void {
    const at = this.#open.indexOf(result);
    if (at >= 0) this.#open.splice(at, 1);
    result.button?.remove();
    if (this.#open.length > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #add(text: string, level: 'ok' | 'bad'): HTMLElement {
    const words = element('span', 'what', text);
    words.dir = 'auto';
    const row = element('li', '', element('time', '', clock(Date.now())), ' ', words);
    row.dataset['level'] = level;
    this.#list.prepend(row);
    while (this.#list.childElementCount > RESULTS_MAX) this.#list.lastElementChild?.remove();
    this.#spoken.textContent = text;
    return row;
  }
}
