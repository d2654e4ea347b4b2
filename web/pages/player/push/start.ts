// Notifications of a signed-in viewer, where the server sends some.

import { type Room } from '@barrage/client';
import { pushBrowser } from './browser.ts';
import { sayInFront } from './in_front.ts';
import { offer } from './offer.ts';
import { PushPanel } from './panel.ts';
import { Push } from './push.ts';
import { serverOf } from './server.ts';

/** What the page does with notifications. */
export interface Started {
  /** Asks whether this device shall notify the viewer, unless the viewer has answered. */
  offer(): void;
  /** Tells the server that this device is there. */
  refresh(isChanged: boolean): void;
}

/** Starts the part of the page about notifications; without effect where the server has no key for them. */
export async function start(room: Room): Promise<Started> {
  const server = serverOf(room);
  if ((await server.key()) === null) return { offer: () => undefined, refresh: () => undefined };
  const push = new Push(server, pushBrowser());
  new PushPanel(push, server);
  sayInFront(room, push);
  return {
    offer: () => offer(push),
    refresh: (isChanged) => void push.refresh(isChanged).catch((error: unknown) => console.error(error)),
  };
}
