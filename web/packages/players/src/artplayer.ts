// Danmaku of a room in ArtPlayer: a layer of its own above the video. ArtPlayer's danmuku plugin keeps every live
// comment and scans all on each frame, so that it is not used.

import { type Room } from '@barrage/client';
import { Stage } from '@barrage/stage';
import { fly } from './fly.ts';
import { followPauses, layerIn, type Overlay, type OverlayOptions } from './overlay.ts';

/** What the adapter uses of an instance of Artplayer. */
export interface ArtplayerLike {
  readonly video: HTMLVideoElement;
  readonly template: { readonly $player: HTMLElement };
  on(event: 'destroy', listener: () => void): unknown;
}

/** Shows a room's danmaku in a player. Full screen works, because the layer is within the player's own element. */
export function artplayer(art: ArtplayerLike, room: Room, options: OverlayOptions = {}): Overlay {
  return within(art.template.$player, art.video, room, options, (close) => void art.on('destroy', close));
}

/** Places the layer over the whole of a player's element. */
export function within(
  player: HTMLElement,
  video: HTMLVideoElement,
  room: Room,
  options: OverlayOptions,
  onDestroy: (close: () => void) => void,
): Overlay {
  const layer = layerIn(player);
  layer.style.inset = '0';
  // Above the video, below the controls, which all these players place at 10 and more.
  layer.style.zIndex = '5';
  const stage = new Stage(layer, options.settings ? { settings: options.settings } : {});
  const stopFlying = fly(room, stage, options);
  const stopPauses = options.pauses === false ? () => {} : followPauses(video, stage);
  let isOpen = true;
  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    stopFlying();
    stopPauses();
    stage.close();
    layer.remove();
  };
  onDestroy(close);
  return { stage, layer, close };
}
