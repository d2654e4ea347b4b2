// `<barrage-room>`: a room in one element. `define()` registers it; importing this file changes nothing.

export { BarrageRoom } from './room_element.ts';
export { define } from './define.ts';
