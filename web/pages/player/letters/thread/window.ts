// The part of a conversation that is shown: a run of items without a gap but for hidden ones. Pure.

import { type Item } from '@barrage/client/inbox';

export class Window {
  #items: Item[] = [];

  get items(): readonly Item[] {
    return this.#items;
  }

  get first(): number | null {
    return this.#items[0]?.position ?? null;
  }

  get last(): number | null {
    return this.#items.at(-1)?.position ?? null;
  }

  /** Begins anew with other items, oldest first. */
  reset(items: readonly Item[]): void {
    this.#items = [];
    this.take(items);
  }

  /** Whether items continue the run: nothing between is missing. */
  continues(items: readonly Item[]): boolean {
    const first = items[0];
    return first === undefined || (this.last !== null && first.position <= this.last + 1);
  }

  /** Takes items at either end, and what they recall. */
  take(items: readonly Item[]): void {
    const byPosition = new Map(this.#items.map((item) => [item.position, item]));
    for (const item of items) byPosition.set(item.position, item);
    for (const { recalls } of items) {
      const target = recalls === undefined ? undefined : byPosition.get(recalls);
      if (!target) continue;
      const { body: _, ...rest } = target;
      byPosition.set(target.position, { ...rest, recalled: true });
    }
    this.#items = [...byPosition.values()].sort((one, other) => one.position - other.position);
  }

  hide(position: number): void {
    this.#items = this.#items.filter((item) => item.position !== position);
  }

  /** Removes the items up to a position, which the user has cleared. */
  clear(upTo: number): void {
    this.#items = this.#items.filter(({ position }) => position > upTo);
  }

  /** Drops the oldest items beyond a number. */
  dropOldest(max: number): void {
    if (this.#items.length > max) this.#items = this.#items.slice(-max);
  }

  /** Drops the newest items beyond a number. Returns whether there were any. */
  dropNewest(max: number): boolean {
    if (this.#items.length <= max) return false;
    this.#items = this.#items.slice(0, max);
    return true;
  }
}
