// Opens one raw-deflated frame with the browser's own decoder.

/** Largest opened frame; a larger one is an attack or a defect, and ends the connection. */
const OPENED_BYTES_MAX = 8 * 1024 * 1024;

export function canInflate(): boolean {
  if (typeof DecompressionStream === 'undefined') return false;
  try {
    new DecompressionStream('deflate-raw');
    return true;
  } catch {
    return false;
  }
}

export async function inflate(bytes: ArrayBuffer): Promise<string> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  const reader = stream.getReader();
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let text = '';
  let opened = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    opened += value.byteLength;
    if (opened > OPENED_BYTES_MAX) {
      await reader.cancel();
      throw new RangeError(`a frame opens to more than ${OPENED_BYTES_MAX} bytes`);
    }
    text += decoder.decode(value, { stream: true });
  }
}
