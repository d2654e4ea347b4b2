// Danmaku of a room in xgplayer: a layer of its own above the video.

import { type Room } from '@barrage/client';
import { within } from './artplayer.ts';
import { type Overlay, type OverlayOptions } from './overlay.ts';

/** What the adapter uses of an instance of xgplayer 3. */
export interface XgplayerLike {
  readonly root: HTMLElement | null;
  readonly media: HTMLMediaElement | null;
  once(event: string, listener: () => void): unknown;
}

/** Shows a room's danmaku in a player. Create the player before; it has its elements at once. */
export function xgplayer(player: XgplayerLike, room: Room, options: OverlayOptions = {}): Overlay {
  const { root, media } = player;
  if (!root || !(media instanceof HTMLVideoElement)) throw new Error('the xgplayer has no video; create it with a url before');
  return within(root, media, room, options, (close) => void player.once('destroy', close));
}
