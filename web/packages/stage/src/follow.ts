// Lets a stage follow a video: it pauses, seeks and changes its rate with it.

import { type Stage } from './stage.ts';

/** A clock that differs by more than this from the video's jumps to it. */
const DRIFT_MAX_MS = 300;

/**
 * Follows the video. `live` danmaku only pause with it; `recording` also follows the video's time, which
 * needs `stage.load`. Returns a function that ends it.
 */
export function follow(stage: Stage, video: HTMLMediaElement, of: 'live' | 'recording'): () => void {
  const ends = new AbortController();
  const on = (events: string[], listener: () => void): void => {
    for (const event of events) video.addEventListener(event, listener, { signal: ends.signal });
  };
  on(['pause', 'waiting'], () => stage.pause());
  on(['playing'], () => stage.play());
  if (of === 'recording') {
    const seek = (): void => stage.seek(video.currentTime * 1000);
    on(['seeked', 'loadedmetadata'], seek);
    on(['ratechange'], () => stage.rate(video.playbackRate));
    on(['timeupdate'], () => {
      if (!video.seeking && Math.abs(video.currentTime * 1000 - stage.timeMs) > DRIFT_MAX_MS) seek();
    });
    stage.rate(video.playbackRate);
    seek();
  }
  if (video.paused) stage.pause();
  return () => ends.abort();
}
