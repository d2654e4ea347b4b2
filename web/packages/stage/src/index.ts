// Danmaku over a player: `new Stage(container)`, then `fly` for each message.

export { Stage, type Click, type Options } from './stage.ts';
export { type Counts } from './counts.ts';
export { type Danmaku, type Lane, type Mode, type Piece, type Place, type SizeName } from './danmaku.ts';
export { follow } from './follow.ts';
export { heat, heatPath } from './heat.ts';
export { type Mask } from './mask.ts';
export { readMode7 } from './mode7.ts';
export { type Settings } from './settings.ts';
export { type Timed } from './timeline.ts';
export { styleOf } from './style.ts';
