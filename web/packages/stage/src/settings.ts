// Settings of a stage, which a viewer changes while danmaku fly.

import { type Clean, MODES, type Mode, within } from './danmaku.ts';

export interface Settings {
  /** Opacity of all danmaku, from 0 to 1. */
  opacity: number;
  /** Share of the stage's height that danmaku use, from the top: 0.1 to 1. */
  area: number;
  /** Multiple of the usual speed: 0.25 to 4. */
  speed: number;
  /** Multiple of the usual size: 0.5 to 2. */
  size: number;
  /** Largest share of the area that danmaku of others cover, 0.05 to 1; 1 has no limit but the lanes. */
  density: number;
  /** CSS font family; an empty one is the page's. */
  font: string;
  /** Modes that are shown. */
  modes: readonly Mode[];
  /** Danmaku that contain one of these words are not shown, in any case of letters. */
  words: readonly string[];
  /** Users whose danmaku are not shown. */
  users: readonly string[];
  /** Shows equal texts of others as one danmaku with a number. */
  merge: boolean;
}

export const DEFAULTS: Settings = {
  opacity: 1,
  area: 1,
  speed: 1,
  size: 1,
  density: 1,
  font: '',
  modes: MODES,
  words: [],
  users: [],
  merge: true,
};

/** Blocked words and users that count; more of them would slow every message. */
const LIST_MAX = 1_000;

/** Returns the settings with changes, each within its bounds. Ignores values of a wrong type. */
export function changed(old: Settings, given: Partial<Settings>): Settings {
  const list = (value: unknown, otherwise: readonly string[]): readonly string[] =>
    Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string' && one !== '').slice(0, LIST_MAX) : otherwise;
  return {
    opacity: within(given.opacity, 0, 1, old.opacity),
    area: within(given.area, 0.1, 1, old.area),
    speed: within(given.speed, 0.25, 4, old.speed),
    size: within(given.size, 0.5, 2, old.size),
    density: within(given.density, 0.05, 1, old.density),
    font: typeof given.font === 'string' ? given.font.slice(0, 200) : old.font,
    modes: Array.isArray(given.modes) ? MODES.filter((mode) => given.modes!.includes(mode)) : old.modes,
    words: list(given.words, old.words).map((word) => word.toLowerCase()),
    users: list(given.users, old.users),
    merge: typeof given.merge === 'boolean' ? given.merge : old.merge,
  };
}

/** Reports whether the viewer wants to see a danmaku. The viewer's own ones are always shown. */
export function wanted(danmaku: Pick<Clean, 'lane' | 'mode' | 'user' | 'text'>, settings: Settings): boolean {
  if (danmaku.lane === 'own') return true;
  if (!settings.modes.includes(danmaku.mode) || settings.users.includes(danmaku.user)) return false;
  if (settings.words.length === 0) return true;
  const text = danmaku.text.toLowerCase();
  return !settings.words.some((word) => text.includes(word));
}
