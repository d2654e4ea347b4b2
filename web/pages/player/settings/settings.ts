// What a viewer has set for this browser: how danmaku are shown, what is blocked, and the appearance.
// Kept in the browser's storage; a value that is damaged or from another version becomes the default.

import { keep, recall } from '@barrage/ui/storage.ts';
import { THEMES, type Theme } from '@barrage/ui/theme.ts';

const KEY = 'barrage.settings';
export const MODES = ['scroll', 'reverse', 'top', 'bottom', 'placed'] as const;
export const AREAS = [25, 50, 75, 100] as const;
/** Blocked words and users to keep. The oldest is forgotten. */
const BLOCKED_MAX = 200;
const WORD_MAX = 64;

export type StageMode = (typeof MODES)[number];

export interface Settings {
  /** Whether danmaku fly at all. */
  danmaku: boolean;
  /** 10 to 100 percent. */
  opacity: number;
  /** Share of the stage from its top, in percent: one of `AREAS`. */
  area: number;
  /** 50 to 200 percent. */
  speed: number;
  /** Size of the letters, 50 to 200 percent. */
  size: number;
  modes: Record<StageMode, boolean>;
  words: string[];
  users: { user: string; name: string }[];
  theme: Theme;
}

export function defaults(): Settings {
  const modes = { scroll: true, reverse: true, top: true, bottom: true, placed: true };
  return { danmaku: true, opacity: 100, area: 100, speed: 100, size: 100, modes, words: [], users: [], theme: 'system' };
}

type Fields = Record<string, unknown>;

/** Reads settings of any origin. */
export function readSettings(value: unknown): Settings {
  const of = isFields(value) ? value : {};
  const usual = defaults();
  const modes = isFields(of['modes']) ? of['modes'] : {};
  for (const mode of MODES) if (typeof modes[mode] === 'boolean') usual.modes[mode] = modes[mode];
  return {
    danmaku: of['danmaku'] !== false,
    opacity: between(of['opacity'], 10, 100),
    area: AREAS.find((area) => area === of['area']) ?? usual.area,
    speed: between(of['speed'], 50, 200),
    size: between(of['size'], 50, 200),
    modes: usual.modes,
    words: list(of['words']).flatMap((word) => (typeof word === 'string' ? cleanWord(word) : [])),
    users: list(of['users']).flatMap((one) =>
      isFields(one) && typeof one['user'] === 'string' ? [{ user: one['user'], name: typeof one['name'] === 'string' ? one['name'] : one['user'] }] : [],
    ),
    theme: THEMES.find((theme) => theme === of['theme']) ?? usual.theme,
  };
}

/** Returns the word as it is kept; nothing for an empty one. */
function cleanWord(word: string): string[] {
  const clean = word.normalize('NFKC').trim().toLowerCase().slice(0, WORD_MAX);
  return clean === '' ? [] : [clean];
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value.slice(-BLOCKED_MAX) : [];
}

function between(value: unknown, min: number, max: number): number {
  return typeof value === 'number' && Number.isFinite(value) ? Math.min(max, Math.max(min, Math.round(value))) : 100;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The settings of this page, which are kept with each change. */
export class Kept {
  #settings: Settings;
  #listeners: ((settings: Settings) => void)[] = [];

  constructor() {
    this.#settings = readSettings(parse(recall('local', KEY)));
    // Another tab of this browser has changed them.
    globalThis.addEventListener?.('storage', (event) => {
      if (event.key !== KEY) return;
      this.#settings = readSettings(parse(event.newValue));
      this.#changed();
    });
  }

  get now(): Settings {
    return this.#settings;
  }

  /** Calls now and after each change. */
  on(listener: (settings: Settings) => void): void {
    this.#listeners.push(listener);
    listener(this.#settings);
  }

  change(of: Partial<Settings>): void {
    this.#settings = readSettings({ ...this.#settings, ...of });
    keep('local', KEY, JSON.stringify(this.#settings));
    this.#changed();
  }

  block(user: string, name: string): void {
    this.change({ users: [...this.#settings.users.filter((one) => one.user !== user), { user, name }] });
  }

  unblock(user: string): void {
    this.change({ users: this.#settings.users.filter((one) => one.user !== user) });
  }

  addWord(word: string): void {
    const [clean] = cleanWord(word);
    if (clean !== undefined && !this.#settings.words.includes(clean)) this.change({ words: [...this.#settings.words, clean] });
  }

  /** Whether the viewer has blocked a user, or a word of a text. */
  hides(user: string, text: string): boolean {
    const { words, users } = this.#settings;
    if (users.some((one) => one.user === user)) return true;
    if (words.length === 0 || text === '') return false;
    const plain = text.normalize('NFKC').toLowerCase();
    return words.some((word) => plain.includes(word));
  }

  #changed(): void {
    for (const listener of this.#listeners) listener(this.#settings);
  }
}

function parse(json: string | null): unknown {
  try {
    return JSON.parse(json ?? 'null');
  } catch {
    return null;
  }
}
