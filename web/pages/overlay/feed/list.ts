// The list: a bounded number of rows that nobody scrolls. A recall or a purge removes rows at once, and takes
// them from those that wait for the next frame.

import { nextFrame } from '@barrage/ui/frames.ts';
import { type Settings } from '../settings.ts';

/** Time of the animation with which a row leaves, in milliseconds; the style has the same. */
const LEAVE_MS = 400;

export class List {
  #pending: HTMLElement[] = [];
  #paused = false;
  #timers = new Map<HTMLElement, number>();

  constructor(
    private readonly root: HTMLElement,
    private readonly settings: Pick<Settings, 'rowsMax' | 'fadeSecs' | 'dir'>,
  ) {}

  add(row: HTMLElement): void {
    this.#pending.push(row);
    if (this.#pending.length > this.settings.rowsMax) this.#skip();
    if (!this.#paused) nextFrame(this.#flush);
  }

  /** Removes the message with this sequence. */
  recall(sequence: number): void {
    this.#remove((row) => row.dataset['sequence'] === String(sequence));
  }

  /** Removes what a user wrote; null removes all rows. */
  purge(user: string | null): void {
    this.#remove((row) => user === null || row.dataset['user'] === user);
  }

  /** Stops to add rows, while the source is not on the air. The newest wait; removals still happen. */
  pause(): void {
    this.#paused = true;
  }

  play(): void {
    this.#paused = false;
    if (this.#pending.length > 0) nextFrame(this.#flush);
  }

  #flush = (): void => {
    if (this.#paused) return;
    const rows = this.#pending;
    this.#pending = [];
    if (this.settings.dir === 'up') this.root.append(...rows);
    else this.root.prepend(...rows.reverse());
    while (this.root.childElementCount > this.settings.rowsMax) this.#drop(this.#oldest());
    if (this.settings.fadeSecs > 0) for (const row of rows) if (row.isConnected) this.#fade(row);
  };

  /**
   * Skips a row that waits: rows beyond the maximum would be removed in the same frame. Chat is skipped before gifts
   * and super chats. Off the air the oldest is skipped, because the newest rows are shown on the return.
   */
  #skip(): void {
    const chat = this.#paused ? -1 : this.#pending.findIndex((row) => row.dataset['type'] === 'chat');
    this.#pending.splice(Math.max(chat, 0), 1);
  }

  #oldest(): HTMLElement {
    const { firstElementChild: first, lastElementChild: last } = this.root;
    return (this.settings.dir === 'up' ? first : last) as HTMLElement;
  }

  #fade(row: HTMLElement): void {
    const leave = (): void => {
      row.classList.add('leaving');
      this.#timers.set(row, setTimeout(() => this.#drop(row), LEAVE_MS));
    };
    this.#timers.set(row, setTimeout(leave, this.settings.fadeSecs * 1_000));
  }

  #drop(row: HTMLElement): void {
    clearTimeout(this.#timers.get(row));
    this.#timers.delete(row);
    row.remove();
  }

  #remove(isGone: (row: HTMLElement) => boolean): void {
    this.#pending = this.#pending.filter((row) => !isGone(row));
    for (const row of [...this.root.children] as HTMLElement[]) if (isGone(row)) this.#drop(row);
  }
}
