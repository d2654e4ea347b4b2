// The cover of a clip: the first frame about a second in that is not black, as the browser decodes it.

/** Times of the frames that are looked at, in seconds, in this order. */
const AT_SECS = [1, 2, 4, 0.1];
/** Longest side of a cover in pixels. */
const SIDE_MAX = 1_280;
/** Longest wait for the clip's first frame, and for each seek. */
const WAIT_MS = 10_000;
/** Mean brightness of a black frame, of 255, and the side of the copy that is measured. */
const BLACK = 16;
const MEASURED_PX = 16;

/** Returns a frame of a clip; null for a clip that this browser cannot decode. */
export async function coverOf(clip: Blob): Promise<Blob | null> {
  const video = document.createElement('video');
  const address = URL.createObjectURL(clip);
  video.muted = true;
  video.preload = 'auto';
  try {
    const there = happened(video, 'loadeddata');
    video.src = address;
    await there;
    const { duration } = video;
    const end = Number.isFinite(duration) && duration > 0 ? duration : AT_SECS[0]!;
    let frame: HTMLCanvasElement | null = null;
    for (const at of AT_SECS.filter((secs, index) => secs < end || index === AT_SECS.length - 1)) {
      const sought = happened(video, 'seeked');
      video.currentTime = Math.min(at, end / 2);
      await sought;
      frame = drawn(video);
      if (frame && !isBlack(frame)) break;
    }
    return frame && new Promise((resolve) => frame.toBlob(resolve, 'image/webp', 0.85));
  } catch {
    return null;
  } finally {
    video.removeAttribute('src');
    video.load();
    URL.revokeObjectURL(address);
  }
}

function happened(video: HTMLVideoElement, event: 'loadeddata' | 'seeked'): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no ${event}`)), WAIT_MS);
    video.addEventListener(event, () => (clearTimeout(late), resolve()), { once: true });
    video.addEventListener('error', () => (clearTimeout(late), reject(new Error('not decoded'))), { once: true });
  });
}

function drawn(video: HTMLVideoElement): HTMLCanvasElement | null {
  const { videoWidth, videoHeight } = video;
  if (videoWidth === 0 || videoHeight === 0) return null;
  const factor = Math.min(1, SIDE_MAX / Math.max(videoWidth, videoHeight));
  return copied(video, Math.max(1, Math.round(videoWidth * factor)), Math.max(1, Math.round(videoHeight * factor)));
}

function copied(source: CanvasImageSource, width: number, height: number): HTMLCanvasElement | null {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext('2d');
  context?.drawImage(source, 0, 0, width, height);
  return context && canvas;
}

function isBlack(frame: HTMLCanvasElement): boolean {
  const { data = null } = copied(frame, MEASURED_PX, MEASURED_PX)?.getContext('2d')?.getImageData(0, 0, MEASURED_PX, MEASURED_PX) ?? {};
  if (data === null) return false;
  let sum = 0;
  for (let at = 0; at < data.length; at += 4) sum += (data[at]! + data[at + 1]! + data[at + 2]!) / 3;
  return sum / (data.length / 4) < BLACK;
}
