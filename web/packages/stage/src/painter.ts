// A danmaku on its way, and what paints it.

import { type Clean } from './danmaku.ts';
import { type Layout } from './layout.ts';
import { type Box } from './lanes.ts';
import { type Path } from './path.ts';

/** Message that a danmaku shows; one danmaku shows all messages with an equal text. */
export interface Member {
  sequence: number | null;
  user: string;
}

export interface Flight {
  danmaku: Clean;
  layout: Layout;
  /** Path of a placed danmaku inside its box; null for the others. */
  path: Path | null;
  members: Member[];
  /** Number of equal texts. */
  count: number;
  /** Messages that were added while the danmaku waited for a lane. */
  joined: number;
  /** Place on the stage; null while the danmaku waits for one. */
  box: Box | null;
}

/** A danmaku that has its place. */
export interface Flying extends Flight {
  box: Box;
}

/** Shows danmaku at the places of their boxes. All times are those of the stage's clock. */
export interface Painter {
  add: (flying: Flying) => void;
  remove: (flying: Flying) => void;
  /** Shows a new number or a new box. */
  update: (flying: Flying) => void;
  /** Follows the clock after it has stopped, started, jumped or changed its rate. */
  retime: () => void;
  resize: (widthPx: number, heightPx: number) => void;
  close: () => void;
}

/** Letters that are darker than this get a light outline. */
const DARK_MAX = 0.35;

/** Reports whether a colour is hard to read with a dark outline. */
export function isDark(rgb: number): boolean {
  return (0.2126 * (rgb >> 16) + 0.7152 * ((rgb >> 8) & 255) + 0.0722 * (rgb & 255)) / 255 < DARK_MAX;
}

export function cssColor(rgb: number): string {
  return `#${rgb.toString(16).padStart(6, '0')}`;
}
