// The small part of notifications that every page has: it loads the rest when the viewer needs it, and hears what a click
// on a notification opens.

import { type Room } from '@barrage/client';
import { byId } from '@barrage/ui/dom.ts';
import { keep, recall } from '@barrage/ui/storage.ts';
import { type Opening } from './note.ts';
import { REGISTERED } from './registered.ts';
import type { Started } from './start.ts';

/** Start of the ids of guests, who have no inbox and follow nobody. */
const GUEST = 'guest-';

export class News {
  #loaded: Promise<Started> | null = null;

  /** Calls `opens` with the conversation or the room of a notification that was clicked. */
  constructor(
    private readonly room: Room,
    opens: (what: string) => void,
  ) {
    byId('settings-open').addEventListener('click', () => this.#with(() => undefined));
    (navigator as Partial<Navigator>).serviceWorker?.addEventListener('message', ({ data }: MessageEvent<Opening | { type: string } | null>) => {
      if (data?.type === 'barrage.open' && 'opens' in data) opens(data.opens);
      if (data?.type === 'barrage.subscribe') this.#with((push) => push.refresh(true));
    });
  }

  /** The room knows its user: a device that was registered tells the server that it is there. */
  known(): void {
    if (recall('local', REGISTERED) !== null) this.#with((push) => push.refresh(false));
  }

  /** The viewer did something of which notifications would tell the answer: wrote a letter, or followed a host. */
  offer(): void {
    this.#with((push) => push.offer());
  }

  /** Ends the notifications of this browser, whose person has signed out: the server hears of it with the next push. */
  async forget(): Promise<void> {
    if (recall('local', REGISTERED) === null) return;
    keep('local', REGISTERED, null);
    const registration = await navigator.serviceWorker.getRegistration().catch(() => undefined);
    const subscription = await registration?.pushManager.getSubscription().catch(() => null);
    await subscription?.unsubscribe().catch(() => false);
  }

  /** Loads the rest for a user who has an inbox. Without network the next occasion tries again. */
  #with(act: (push: Started) => void): void {
    const { user } = this.room;
    if (user === null || user.startsWith(GUEST)) return;
    this.#loaded ??= import('./start.ts').then(({ start }) => start(this.room));
    this.#loaded.then(act).catch(() => {
      this.#loaded = null;
    });
  }
}
