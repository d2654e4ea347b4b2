// Danmaku files of Bilibili: the XML that the site serves for a video, and that recorders of its live rooms
// write. A file is untrusted: entries that cannot be read are skipped and counted, and nothing in a file is
// expanded or fetched. The recording crate of this repository reads the same forms.

import { readMode7, type Mode } from '@barrage/stage';
import { type Message } from '../timeline/message.ts';
import { tags } from './tags.ts';

export interface Parsed {
  messages: Message[];
  skipped: number;
}

/** Messages of one file, at most; further ones are skipped. */
export const MESSAGES_MAX = 300_000;
const TEXT_CHARACTERS_MAX = 400;
const NAME_CHARACTERS_MAX = 64;
const HOUR_MS = 3_600_000;
/** Largest offset: a stream of four days. */
export const OFFSET_MS_MAX = 96 * HOUR_MS;

const MODES: Record<string, Mode> = { 1: 'scroll', 2: 'scroll', 3: 'scroll', 4: 'bottom', 5: 'top', 6: 'reverse', 7: 'placed' };
const ENTRIES: ReadonlySet<string> = new Set(['d', 'gift', 'sc', 'guard']);
const GUARDS: Record<string, [name: string, priceMinor: number]> = { 1: ['总督', 1_999_800], 2: ['提督', 199_800], 3: ['舰长', 19_800] };

type Attributes = Map<string, string>;

/** Reads a file. `prefix` begins the ids, so that those of two files differ. */
export function readXml(xml: string, prefix = 'f'): Parsed {
  // BililiveRecorder writes prices of super chats in yuan, other writers in thousandths.
  const isYuan = /<BililiveRecorder[\s>/]/.test(xml.slice(0, 4_096));
  const parsed: Parsed = { messages: [], skipped: 0 };
  let count = 0;
  for (const { name, attributes, text } of tags(xml, ENTRIES)) {
    const message = parsed.messages.length < MESSAGES_MAX ? read(name, attributes, text, isYuan) : null;
    count += 1;
    if (message) parsed.messages.push({ ...message, id: `${prefix}${count}` });
    else parsed.skipped += 1;
  }
  return parsed;
}

type Draft = Omit<Message, 'id'>;

function read(tag: string, attributes: Attributes, text: string, isYuan: boolean): Draft | null {
  if (tag === 'd') return danmaku(attributes, text);
  const offsetMs = offsetOf(attributes.get('ts'));
  const name = line(attributes.get('user') ?? attributes.get('uid') ?? '', NAME_CHARACTERS_MAX);
  if (offsetMs === null) return null;
  const draft: Draft = { ...PLAIN, offsetMs, user: name, name };
  if (tag === 'sc') {
    const words = line(text, TEXT_CHARACTERS_MAX);
    const price = Number(attributes.get('price'));
    if (words === '' || !Number.isFinite(price) || price < 0) return null;
    return { ...draft, kind: 'super_chat', text: words, paid: { minor: Math.round(price * (isYuan ? 100 : 0.1)), currency: 'CNY' } };
  }
  if (tag === 'guard') {
    const [guard, listed] = GUARDS[attributes.get('level') ?? ''] ?? ['', 0];
    return guard === '' ? null : { ...draft, kind: 'gift', gift: { name: guard, count: countOf(attributes, 1), priceMinor: listed } };
  }
  const gift = line(attributes.get('giftname') ?? '', NAME_CHARACTERS_MAX);
  const count = countOf(attributes, 0);
  if (gift === '' || count < 1) return null;
  const price = Number(attributes.get('price') ?? 0);
  const isFree = ['银瓜子', 'silver', 'sliver'].includes(attributes.get('cointype') ?? '') || !Number.isFinite(price);
  return { ...draft, kind: 'gift', gift: { name: gift, count, priceMinor: isFree ? 0 : Math.round(price * 0.1) } };
}

const PLAIN = { kind: 'chat', role: '', text: '', mode: 'scroll', color: 0xffffff, size: 'normal' } as const;

function danmaku(attributes: Attributes, text: string): Draft | null {
  const [time, modeText = '', sizeText, colorText, , , hash = ''] = (attributes.get('p') ?? '').split(',');
  const offsetMs = offsetOf(time);
  const mode = MODES[modeText];
  const size = Number(sizeText);
  const color = Number(colorText);
  if (offsetMs === null || mode === undefined || !Number.isFinite(size) || !Number.isInteger(color)) return null;
  const placed = mode === 'placed' ? readMode7(text) : null;
  if (mode === 'placed' && placed === null) return null;
  const words = line(placed?.text ?? text, TEXT_CHARACTERS_MAX);
  if (words === '') return null;
  const name = line(attributes.get('user') ?? hash, NAME_CHARACTERS_MAX);
  // Some writers put the opacity above the color: 4294967295 is white.
  const rgb = Number(BigInt.asUintN(24, BigInt(color)));
  return { ...PLAIN, offsetMs, user: name, name, text: words, mode, color: rgb, size: sizeOf(size), ...(placed ? { place: placed.place } : {}) };
}

function sizeOf(px: number): Message['size'] {
  if (px < 22) return 'small';
  return px > 30 ? 'large' : 'normal';
}

function offsetOf(secs: string | undefined): number | null {
  const ms = Math.round(Number(secs) * 1_000);
  return secs !== undefined && secs.trim() !== '' && Number.isFinite(ms) && ms >= 0 && ms <= OFFSET_MS_MAX ? ms : null;
}

function countOf(attributes: Attributes, otherwise: number): number {
  const count = Number(attributes.get('giftcount') ?? attributes.get('num') ?? attributes.get('count') ?? otherwise);
  return Number.isInteger(count) && count <= 1_000_000 ? count : 0;
}

/** Makes one line of a text from a file: no control characters, no marks that turn the direction around it. */
export function line(text: string, max: number): string {
  const clean = text.replace(/[\t\n\r]+/g, ' ').replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufffe\uffff]/g, '').trim();
  return [...clean].slice(0, max).join('');
}
