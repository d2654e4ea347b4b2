// A room's danmaku over players that a site already has. Adapters of single players have entries of their own.

export { danmakuOf, type Sentences } from './danmaku.ts';
export { escapeMarkup } from './escape.ts';
export { fly, type FlyOptions } from './fly.ts';
export { overlay, type Overlay, type OverlayOptions } from './overlay.ts';
