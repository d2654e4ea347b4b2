// The heartbeat of a room, as its connections see it. Its rules are loaded with the first connection, long
// before the first ping is due.

import type { Host } from '../host.ts';
import type { Beating, Keeper, StatedTerms } from './keeper.ts';

export class Heart {
  #keeper: Keeper | null = null;
  #current: { beating: Beating; stated: StatedTerms } | null = null;
  #place: readonly [unknown, unknown] | null = null;

  constructor(private readonly host: Host) {}

  /** Notes where entry saw this client. */
  placed(carrier: unknown, region: unknown): void {
    this.#place = [carrier, region];
    this.#keeper?.placed(carrier, region);
  }

  /** Follows a connection that has received its hello; the one before is left. */
  attach(beating: Beating, stated: StatedTerms): void {
    this.#current = { beating, stated };
    if (this.#keeper) this.#keeper.attach(beating, stated);
    else void this.#load();
  }

  /** Notes the end of a connection. */
  detach(beating: Beating, hasFailed: boolean): void {
    if (this.#current?.beating === beating) this.#current = null;
    this.#keeper?.detach(beating, hasFailed);
  }

  received(beating: Beating): void {
    this.#keeper?.received(beating);
  }

  sent(beating: Beating): void {
    this.#keeper?.sent(beating);
  }

  pong(beating: Beating, pong: { id: number } & StatedTerms): void {
    this.#keeper?.pong(beating, pong);
  }

  /** Examines the connection at once: the network has changed, or the page is back. */
  examine(): void {
    this.#keeper?.examine();
  }

  /** Examines a connection whose server has been silent, because the user sends something. */
  posted(): void {
    this.#keeper?.posted();
  }

  close(): void {
    this.#current = null;
    this.#keeper?.close();
  }

  async #load(): Promise<void> {
    try {
      const { Keeper } = await this.host.later();
      if (this.#keeper) return;
      this.#keeper = new Keeper(this.host);
    } catch {
      return;
    }
    if (this.#place) this.#keeper.placed(...this.#place);
    if (this.#current) this.#keeper.attach(this.#current.beating, this.#current.stated);
  }
}
