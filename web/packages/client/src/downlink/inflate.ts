// Decompresses the binary frames of one WebSocket with the decoder of the browser, and reads batches of lines.

import dictionary from '../../../../../services/protocol/src/dictionary.txt?raw';
import forms from '../../../../../services/protocol/src/forms.txt?raw';

/** Largest decompressed frame. A larger one is an attack or a defect, and ends the connection. */
const INFLATED_BYTES_MAX = 8 * 1024 * 1024;
/** Unit in which a frame states how many bytes of earlier lines it refers to. */
const UNIT_BYTES = 64;
/** Bytes of earlier lines that are kept. */
const TRAIL_BYTES_MAX = 254 * UNIT_BYTES;
/** First byte of a frame with JSON, where batches are lines. */
const JSON_FRAME = 255;

const encoder = new TextEncoder();
const words = encoder.encode(dictionary);
const wordsAndForms = encoder.encode(dictionary + forms);
const EMPTY = new Uint8Array(0);

/** Makes a stored block of bytes: it stands in for a dictionary, and is removed from the result. */
function stored(bytes: Uint8Array): Uint8Array {
  const block = new Uint8Array(5 + bytes.length);
  new DataView(block.buffer).setUint16(1, bytes.length, true);
  new DataView(block.buffer).setUint16(3, ~bytes.length, true);
  block.set(bytes, 5);
  return block;
}

function joined(parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Decompresses a stream that may refer to these texts before it. */
async function inflate(before: Uint8Array[], bytes: Uint8Array): Promise<Uint8Array> {
  const blocks = [...before.map(stored), bytes] as BlobPart[];
  const reader = new Blob(blocks).stream().pipeThrough(new DecompressionStream('deflate-raw')).getReader();
  const pieces: Uint8Array[] = [];
  let inflated = -before.reduce((sum, text) => sum + text.length, 0);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return joined(pieces);
    pieces.push(value.subarray(Math.max(0, -inflated)));
    inflated += value.byteLength;
    if (inflated > INFLATED_BYTES_MAX) {
      await reader.cancel();
      throw new RangeError(`a frame has more than ${INFLATED_BYTES_MAX} bytes after decompression`);
    }
  }
}

/** Returns the 24 bits by which a frame names its text: FNV-1a, folded. */
function check(text: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of text) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 24) ^ (hash & 0xffffff);
}

/** Reads the binary frames of one connection, in their order. After an error the connection is of no use. */
export class Inflater {
  /** Newest lines that arrived without a hole, and the position behind them. */
  #trail: Uint8Array = EMPTY;
  #end = 0;
  /** Position, time and form of the last line, from which the next one counts. */
  #sequence = 0;
  #atMs = 0;
  #form = '';
  #isLines: boolean;

  constructor(protocol: string) {
    this.#isLines = protocol.endsWith('.lines');
  }

  /** Returns the JSON of a frame. A batch of lines has no `room`. */
  async read(data: ArrayBuffer): Promise<string> {
    const bytes = new Uint8Array(data);
    const decoder = new TextDecoder('utf-8', { fatal: true });
    if (!this.#isLines) return decoder.decode(await inflate([words], bytes));
    if (bytes[0] === JSON_FRAME) return decoder.decode(await inflate([words], bytes.subarray(1)));
    const size = bytes[0]! * UNIT_BYTES;
    if (bytes.length < 5 || size > this.#trail.length) throw new TypeError('a frame refers to lines that did not arrive');
    const before = size > 0 ? [wordsAndForms, this.#trail.subarray(this.#trail.length - size)] : [wordsAndForms];
    const text = await inflate(before, bytes.subarray(4));
    if (check(text) !== new DataView(data).getUint32(0) % 0x1000000) throw new TypeError('a frame refers to other lines');
    return this.#batch(decoder.decode(text), size > 0);
  }

  #batch(text: string, isBehind: boolean): string {
    const rows = text.split('\n');
    rows.pop();
    const [from, advance = '', ...rest] = (rows.shift() ?? '').split('\t');
    const previous = isBehind ? this.#end : Number(from);
    let [sequence, atMs, form] = [this.#sequence, this.#atMs, this.#form];
    if (!isBehind) {
      const [lag, start, ...marks] = (rows.shift() ?? '').split('\t');
      [sequence, atMs, form] = [previous - Number(lag), Number(start), marks.join('\t')];
    }
    const messages: string[] = [];
    let size = 0;
    for (const row of rows) {
      if (/^[a-z]/.test(row)) {
        form = row;
        continue;
      }
      const [numbers = '', ...values] = row.split('\t');
      const [passed, step = 1] = numbers.split(' ');
      sequence += Number(step);
      atMs += Number(passed);
      const at = form.indexOf('{');
      let next = 0;
      const body = form.slice(at).replace(/[\t\x01]/g, (mark) => (mark === '\t' ? (values[next++] ?? '') : String(atMs)));
      const message = `{"sequence":${sequence},"class":"${form.slice(0, at)}","body":${body}}`;
      // All of it counts: a form may be large, and a line has one byte.
      size += message.length;
      if (size > INFLATED_BYTES_MAX) throw new RangeError('a batch is too large');
      messages.push(message);
    }
    const end = previous + Number(advance);
    if (end > previous) this.#keep(rows, previous, end);
    if (end > previous) [this.#sequence, this.#atMs, this.#form] = [sequence, atMs, form];
    return `{"type":"batch","previous":${previous},"sequence":${end},"messages":[${messages.join()}]${rest.join('')}}`;
  }

  /** Appends lines to the trail. Behind a hole it begins anew. */
  #keep(rows: string[], previous: number, end: number): void {
    const lines = encoder.encode(rows.map((row) => `${row}\n`).join(''));
    const trail = previous === this.#end ? joined([this.#trail, lines]) : lines;
    this.#trail = trail.subarray(Math.max(0, trail.length - TRAIL_BYTES_MAX));
    this.#end = end;
  }
}
