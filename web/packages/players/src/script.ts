// All of the package and `join` in one global, `BarragePlayers`: for pages without modules.

export { join } from '@barrage/client';
export * from './index.ts';
export { artplayer } from './artplayer.ts';
export { backend, dplayer } from './dplayer.ts';
export { streamElements } from './stream_elements.ts';
export { xgplayer } from './xgplayer.ts';
