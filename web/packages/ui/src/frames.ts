// Runs the page's repeated work (stage, list, scene) together, at most 15 times a second. The
// compositor moves danmaku between these frames.

/** Least time between two frames of the page's own work. */
const FRAME_MS = 66;
/** The same for a hidden page, which shows nothing but keeps its list. */
const HIDDEN_MS = 250;

const waiting = new Set<() => void>();
let timer: number | undefined;
let lastMs = -Infinity;

/** Runs the work once, with the next frame; work that already waits for that frame is not added again. */
export function nextFrame(work: () => void): void {
  waiting.add(work);
  if (timer === undefined) arm();
}

/**
 * A timer, not an animation frame: what changes in an animation frame and starts animations makes
 * the browser render another one at once.
 */
function arm(): void {
  const restMs = Math.max(0, lastMs + FRAME_MS - performance.now());
  timer = setTimeout(run, document.hidden ? HIDDEN_MS : restMs);
}

function run(): void {
  timer = undefined;
  lastMs = performance.now();
  const works = [...waiting];
  waiting.clear();
  for (const work of works) work();
}

document.addEventListener('visibilitychange', () => {
  if (timer === undefined) return;
  clearTimeout(timer);
  arm();
});
