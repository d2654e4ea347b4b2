// The danmaku that a page passes to the stage, and the check of its fields: they come from other
// people, so that every field may have any value.

export const MODES = ['scroll', 'reverse', 'top', 'bottom', 'placed'] as const;

/** `scroll` moves to the left, `reverse` to the right; `top` and `bottom` stand; `placed` has its own place. */
export type Mode = (typeof MODES)[number];

export const LANES = ['own', 'gift', 'moderator', 'other'] as const;

/** Class of a danmaku. Earlier classes get their places before later ones. */
export type Lane = (typeof LANES)[number];

export type SizeName = 'small' | 'normal' | 'large';

/** Part of a text: letters, the image of an emote, or a link. */
export type Piece = string | { emote: string; url: string } | { link: string; text: string };

/** Place and path of a `placed` danmaku, as in mode 7 of Bilibili's files. */
export interface Place {
  /** Left and top edge as shares of the stage, from 0 to 1. */
  x: number;
  y: number;
  /** Edges at the end of the path. Default: the danmaku stands. */
  toX?: number;
  toY?: number;
  /** Time for which the danmaku is shown. Default 4,500 ms. */
  durationMs?: number;
  /** Start and length of the movement. Default: from the start to the end. */
  delayMs?: number;
  moveMs?: number;
  /** Opacity at the start and at the end. Default 1. */
  fromOpacity?: number;
  toOpacity?: number;
  /** Height of the letters as a share of the stage's height. Default: by the danmaku's size. */
  height?: number;
  /** Angle in degrees, clockwise. */
  rotateDeg?: number;
  /** Angle in degrees around the vertical axis. */
  turnDeg?: number;
}

export interface Danmaku {
  /** Position in the room; null for a message that has none. */
  sequence: number | null;
  user: string;
  text: string;
  /** The text in pieces, where it has emotes or links. */
  pieces?: readonly Piece[];
  /** Label before the text, such as a role. */
  tag?: string;
  /** Default `scroll`. */
  mode?: Mode;
  /** Colour as 0xRRGGBB. Default white. */
  color?: number;
  /** Name, or a multiple of the normal size from 0.5 to 3. Default `normal`. */
  size?: SizeName | number;
  /** Default `other`. */
  lane?: Lane;
  /** Place of a `placed` danmaku. */
  place?: Place;
}

/** Danmaku whose fields all have values within their bounds. */
export interface Clean {
  sequence: number | null;
  user: string;
  text: string;
  pieces: readonly Piece[];
  tag: string;
  mode: Mode;
  color: number;
  size: SizeName | number;
  lane: Lane;
  place: Required<Place> | null;
}

/** UTF-16 units of a text that are shown. The server allows 200 characters; files may have more. */
const TEXT_MAX = 400;
const TAG_MAX = 24;
const PIECES_MAX = 64;
const STANDS_MS = 4_500;
/** Longest time for which a file may show one placed danmaku. */
const PLACED_MS_MAX = 30_000;

/** Returns the danmaku with all fields within their bounds, or null where there is nothing to show. */
export function clean(given: Danmaku): Clean | null {
  const pieces = cleanPieces(given.pieces ?? [given.text]);
  const text = pieces.map(textOf).join('');
  if (text.trim() === '') return null;
  const mode = MODES.includes(given.mode!) ? given.mode! : 'scroll';
  const place = mode === 'placed' ? cleanPlace(given.place) : null;
  return {
    sequence: Number.isSafeInteger(given.sequence) ? given.sequence : null,
    user: typeof given.user === 'string' ? given.user : '',
    text,
    pieces,
    tag: typeof given.tag === 'string' ? oneLine(given.tag, TAG_MAX) : '',
    mode: mode === 'placed' && !place ? 'scroll' : mode,
    color: Number.isInteger(given.color) ? given.color! & 0xffffff : 0xffffff,
    size: cleanSize(given.size),
    lane: LANES.includes(given.lane!) ? given.lane! : 'other',
    place,
  };
}

/** Returns the letters of a piece; for an emote its name. */
export function textOf(piece: Piece): string {
  if (typeof piece === 'string') return piece;
  return 'emote' in piece ? piece.emote : piece.text;
}

/** Reports whether all pieces are letters, so that a canvas can paint them. */
export function isPlain(pieces: readonly Piece[]): boolean {
  return pieces.every((piece) => typeof piece === 'string');
}

function cleanPieces(given: readonly unknown[]): Piece[] {
  const pieces: Piece[] = [];
  let rest = TEXT_MAX;
  for (const one of given.slice(0, PIECES_MAX)) {
    const piece = rest > 0 ? cleanPiece(one, rest) : null;
    if (piece === null) continue;
    rest -= Math.max(1, textOf(piece).length);
    pieces.push(piece);
  }
  return pieces;
}

function cleanPiece(given: unknown, rest: number): Piece | null {
  if (typeof given === 'string') return oneLine(given, rest);
  if (typeof given !== 'object' || given === null) return null;
  const { emote, link, text, url } = given as Record<string, unknown>;
  if (typeof emote === 'string') {
    const name = oneLine(emote, rest);
    return safeUrl(url) ? { emote: name, url: url as string } : name;
  }
  if (typeof text !== 'string') return null;
  const letters = oneLine(text, rest);
  return safeUrl(link) ? { link: link as string, text: letters } : letters;
}

/** Reports whether a page may load or link the address: https, or a path or address of the page's own host, on any port. */
function safeUrl(url: unknown): boolean {
  if (typeof url !== 'string' || !/^(https?:\/\/|\/(?![\\/]))/i.test(url)) return false;
  const base = typeof document === 'undefined' ? 'https://invalid.example/' : document.baseURI;
  if (!URL.canParse(url, base)) return false;
  const { protocol, hostname } = new URL(url, base);
  return protocol === 'https:' || hostname === new URL(base).hostname;
}

/** Cuts a text between characters, and makes one line of it. */
function oneLine(text: string, max: number): string {
  const cut = text.length > max ? text.slice(0, max).replace(/[\uD800-\uDBFF]$/, '') : text;
  return cut.replace(/[\u0000-\u001F\u007F\u2028\u2029]+/g, ' ');
}

function cleanSize(size: unknown): SizeName | number {
  if (size === 'small' || size === 'large') return size;
  return typeof size === 'number' ? within(size, 0.5, 3, 1) : 'normal';
}

function cleanPlace(place: Place | undefined): Required<Place> | null {
  if (typeof place !== 'object' || place === null) return null;
  const x = within(place.x, -1, 2, NaN);
  const y = within(place.y, -1, 2, NaN);
  if (Number.isNaN(x) || Number.isNaN(y)) return null;
  const durationMs = within(place.durationMs, 1, PLACED_MS_MAX, STANDS_MS);
  const delayMs = within(place.delayMs, 0, durationMs, 0);
  return {
    x,
    y,
    toX: within(place.toX, -1, 2, x),
    toY: within(place.toY, -1, 2, y),
    durationMs,
    delayMs,
    moveMs: within(place.moveMs, 0, durationMs - delayMs, durationMs - delayMs),
    fromOpacity: within(place.fromOpacity, 0, 1, 1),
    toOpacity: within(place.toOpacity, 0, 1, 1),
    height: within(place.height, 0, 1, 0),
    rotateDeg: within(place.rotateDeg, -360, 360, 0),
    turnDeg: within(place.turnDeg, -360, 360, 0),
  };
}

/** Returns the number within its bounds, or the other value where it is none. */
export function within(value: unknown, min: number, max: number, otherwise: number): number {
  return typeof value === 'number' && Number.isFinite(value) ? Math.min(max, Math.max(min, value)) : otherwise;
}
