// Registers the element with the page.

import { BarrageRoom } from './room_element.ts';

/** Registers `<barrage-room>`, or another name. A name that is registered stays as it is. */
export function define(name = 'barrage-room'): void {
  if (customElements.get(name)) return;
  // A class can have one name only.
  customElements.define(name, name === 'barrage-room' ? BarrageRoom : class extends BarrageRoom {});
}
