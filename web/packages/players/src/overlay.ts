// Danmaku over any `<video>`: a layer that follows the video's box, its pauses and full screen.

import { type Room } from '@barrage/client';
import { Stage, type Settings } from '@barrage/stage';
import { fly, type FlyOptions } from './fly.ts';

export interface OverlayOptions extends FlyOptions {
  settings?: Partial<Settings>;
  /** Whether danmaku stand while the video is paused. Default true. */
  pauses?: boolean;
}

export interface Overlay {
  readonly stage: Stage;
  /** Element with the danmaku. */
  readonly layer: HTMLElement;
  /** Removes the danmaku; the room stays joined. */
  close(): void;
}

/**
 * Shows a room's danmaku over a video. The layer is placed in the video's parent, which becomes the positioned
 * box: put the two alone into one wrapper, and request full screen for the wrapper, not for the video.
 */
export function overlay(video: HTMLVideoElement, room: Room, options: OverlayOptions = {}): Overlay {
  const parent = video.parentElement;
  if (!parent) throw new Error('the video must be in the page before danmaku are laid over it');
  if (getComputedStyle(parent).position === 'static') parent.style.position = 'relative';
  const layer = layerIn(parent);
  const place = (): void => {
    const { offsetLeft, offsetTop, offsetWidth, offsetHeight } = video;
    Object.assign(layer.style, { left: `${offsetLeft}px`, top: `${offsetTop}px`, width: `${offsetWidth}px`, height: `${offsetHeight}px` });
  };
  place();
  const resizes = new ResizeObserver(place);
  resizes.observe(video);
  resizes.observe(parent);
  const stage = new Stage(layer, options.settings ? { settings: options.settings } : {});
  const stopFlying = fly(room, stage, options);
  const stopPauses = options.pauses === false ? () => {} : followPauses(video, stage);
  return {
    stage,
    layer,
    close(): void {
      stopFlying();
      stopPauses();
      resizes.disconnect();
      stage.close();
      layer.remove();
    },
  };
}

/** Creates the layer of danmaku in an element. It takes no clicks: they belong to the player. */
export function layerIn(parent: HTMLElement): HTMLElement {
  const layer = document.createElement('div');
  layer.className = 'barrage-layer';
  Object.assign(layer.style, { position: 'absolute', overflow: 'hidden', pointerEvents: 'none', zIndex: '1' });
  parent.append(layer);
  return layer;
}

/** Stops and continues the stage with a video. A video that waits for data goes on as it shows a live stream. */
export function followPauses(video: HTMLVideoElement, stage: Pick<Stage, 'pause' | 'play'>): () => void {
  const ends = new AbortController();
  video.addEventListener('pause', () => stage.pause(), { signal: ends.signal });
  video.addEventListener('play', () => stage.play(), { signal: ends.signal });
  return () => ends.abort();
}
