// The page's repeated work (stage, list, scene) shares frames, at most 15 a second. The
// browser's own animations move danmaku in flight between them.

/** Between two frames of the page's own work. */
export const FRAME_MS = 66;
/** A hidden page gets no animation frames; its list goes on at this pace. */
const HIDDEN_MS = 250;

const waiting = new Set<() => void>();
let timer: number | undefined;
let asked: number | undefined;
let lastMs = -Infinity;

/** Runs the work once, with the next frame. Asked for twice before that it still runs once. */
export function nextFrame(work: () => void): void {
  waiting.add(work);
  if (timer === undefined && asked === undefined) arm();
}

function arm(): void {
  if (document.hidden) {
    timer = setTimeout(run, HIDDEN_MS);
    return;
  }
  // A timer comes a little late and the frame after it later still: aim at the frame before.
  const restMs = Math.max(0, lastMs + FRAME_MS - performance.now() - 12);
  timer = setTimeout(() => {
    timer = undefined;
    asked = requestAnimationFrame(run);
  }, restMs);
}

function run(): void {
  timer = undefined;
  asked = undefined;
  lastMs = performance.now();
  const works = [...waiting];
  waiting.clear();
  for (const work of works) work();
}

document.addEventListener('visibilitychange', () => {
  if (waiting.size === 0) return;
  clearTimeout(timer);
  if (asked !== undefined) cancelAnimationFrame(asked);
  timer = asked = undefined;
  arm();
});
