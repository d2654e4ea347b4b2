// Decompresses one raw-deflate frame with the decoder of the browser.

import dictionary from '../../../../../services/protocol/src/dictionary.txt?raw';

/** Largest decompressed frame. A larger one is an attack or a defect, and ends the connection. */
const INFLATED_BYTES_MAX = 8 * 1024 * 1024;

/** Frames refer to a dictionary: it is put first, as a stored block, and removed from the result. */
const words = new TextEncoder().encode(dictionary);
const primer = new Uint8Array(5 + words.length);
new DataView(primer.buffer).setUint16(1, words.length, true);
new DataView(primer.buffer).setUint16(3, ~words.length, true);
primer.set(words, 5);

export async function inflate(bytes: ArrayBuffer): Promise<string> {
  const stream = new Blob([primer, bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  const reader = stream.getReader();
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let text = '';
  let inflated = -words.length;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    const kept = value.subarray(Math.max(0, -inflated));
    inflated += value.byteLength;
    if (inflated > INFLATED_BYTES_MAX) {
      await reader.cancel();
      throw new RangeError(`a frame has more than ${INFLATED_BYTES_MAX} bytes after decompression`);
    }
    text += decoder.decode(kept, { stream: true });
  }
}
