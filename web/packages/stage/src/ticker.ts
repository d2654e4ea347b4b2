// Runs the stage's repeated work at most 15 times a second. The compositor or the canvas moves danmaku
// between these frames.

/** Runs the work once, with the next frame. Work that already waits is not added again. */
export type Frames = (work: () => void) => void;

export const FRAME_MS = 66;

/**
 * Returns frames by a timer, not by animation frames: what starts animations in an animation frame
 * makes the browser render another one at once.
 */
export function frames(): Frames {
  const waiting = new Set<() => void>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const run = (): void => {
    timer = undefined;
    const works = [...waiting];
    waiting.clear();
    for (const work of works) work();
  };
  return (work) => {
    waiting.add(work);
    timer ??= setTimeout(run, FRAME_MS);
  };
}
