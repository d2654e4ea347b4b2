// The page of a site that uploads with `@barrage/client/media` alone: no room, no page of Barrage.

import * as media from '@barrage/client/media';

const ids = new Map();

/** Returns a file of bytes that no two places of are alike. */
function noise(length, seed) {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = seed;
  for (let at = 0; at < words.length; at += 1) words[at] = state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return new File([words.buffer.slice(0, length)], `noise ${seed}.bin`, { type: 'application/octet-stream', lastModified: seed });
}

/** Paints a picture of two colours as a camera's JPEG: larger than any screen. */
async function photo(width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d');
  context.fillStyle = 'rgb(210, 40, 30)';
  context.fillRect(0, 0, width, height);
  context.fillStyle = 'rgb(20, 60, 200)';
  context.fillRect(0, 0, width / 2, height);
  // Grain, as a sensor has it: without it the file would be small.
  const grain = context.getImageData(0, 0, width, height);
  let state = 1;
  for (let at = 0; at < grain.data.length; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    grain.data[at] += (state >>> 24) / 16;
  }
  context.putImageData(grain, 0, 0);
  return new File([await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.95 })], 'photo.jpg', { type: 'image/jpeg' });
}

window.site = {
  media,
  noise,
  photo,
  open(options) {
    this.uploads = media.openMedia({ ...options, token: () => options.token });
  },
  /** Begins an upload, whose states the test reads by its name. */
  begin(name, file, how) {
    const upload = this.uploads.upload(file, how);
    const seen = { upload, states: [], sentBytes: 0 };
    ids.set(name, seen);
    upload.on('state', (state) => {
      seen.states.push(state.kind);
      if (state.kind === 'sending') seen.sentBytes = Math.max(seen.sentBytes, state.sentBytes);
    });
  },
  sent: (name) => ids.get(name).sentBytes,
  end: (name) => ids.get(name).upload.done,
  cancel: (name) => ids.get(name).upload.cancel(),
  async digest(blob) {
    const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer()));
    return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  },
};
