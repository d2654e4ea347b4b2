// Says on the connection whether this device is in front of its user: what the page shows already makes no notification
// on this device.

import type { Room } from '@barrage/client';
import { type Push } from './push.ts';

/** Begins to say it, for as long as the page lives. */
export function sayInFront(room: Room, push: Push): void {
  /** Answers of the server that belong to frames from here. */
  let expected = 0;
  const say = (): void => {
    if (push.state !== 'on') return;
    expected += 1;
    room.attach('attach', { device: push.device, visible: !document.hidden });
  };
  room.on('hello', () => {
    expected = 0;
    say();
  });
  // The inbox attaches without a device, which takes the place of what was said before.
  room.on('mail', ({ type }) => {
    if (type !== 'attached') return;
    if (expected > 0) expected -= 1;
    else say();
  });
  document.addEventListener('visibilitychange', say);
  push.changed = say;
  say();
}
