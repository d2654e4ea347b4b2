// The decoder of binary frames: vectors that the Rust reader shares, and frames that are forged.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'vitest';
import { Inflater } from '../src/downlink/inflate.ts';

const vectors = JSON.parse(await readFile(new URL('../../../../services/client/vectors/lines.json', import.meta.url), 'utf8'));

const bytesOf = (hex) => Uint8Array.from(hex.match(/[0-9a-f]{2}/g) ?? [], (byte) => Number.parseInt(byte, 16)).buffer;

for (const { name, frames } of vectors) {
  test(name, async () => {
    const inflater = new Inflater('barrage.v1.1.lines');
    for (const { frame, reads, refused } of frames) {
      const read = inflater.read(bytesOf(frame));
      if (refused) {
        await assert.rejects(read);
        continue;
      }
      assert.deepEqual(JSON.parse(await read), reads);
    }
  });
}

test('a frame whose check differs, and one that is cut, are refused', async () => {
  const first = vectors[1].frames[1].frame;
  for (const forged of [`00${((Number.parseInt(first.slice(2, 8), 16) + 1) % 0x1000000).toString(16).padStart(6, '0')}${first.slice(8)}`, first.slice(0, -8), '00', '']) {
    await assert.rejects(new Inflater('barrage.v1.1.lines').read(bytesOf(forged)), forged);
  }
});

test('the other encodings have no head', async () => {
  const hello = vectors[0].frames[0];
  const read = await new Inflater('barrage.v1.1.deflate').read(bytesOf(hello.frame.slice(2)));
  assert.deepEqual(JSON.parse(read), hello.reads);
});

/** A frame of this text, as a hostile server would make it. */
async function frameOf(text) {
  const bytes = new TextEncoder().encode(text);
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  const check = (hash >>> 24) ^ (hash & 0xffffff);
  const deflated = new Blob([bytes]).stream().pipeThrough(new CompressionStream('deflate-raw'));
  const stream = new Uint8Array(await new Response(deflated).arrayBuffer());
  return Uint8Array.from([0, check >> 16, (check >> 8) & 255, check & 255, ...stream]).buffer;
}

test('a small frame does not become a batch of many megabytes', async () => {
  const read = (form, lines) => frameOf(`0\t1\t\n0\t0\t${form}\n${'\n'.repeat(lines)}`).then((frame) => new Inflater('barrage.v1.1.lines').read(frame));
  assert.equal(JSON.parse(await read('chat{}', 3)).messages.length, 3);
  await assert.rejects(read('chat{}', 1_000_000), RangeError, 'a million empty lines');
  await assert.rejects(read(`${'c'.repeat(100_000)}{}`, 1_000), RangeError, 'a large class in each of a thousand lines');
});
