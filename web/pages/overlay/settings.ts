// Settings of an overlay, as its address has them. Pure: the page and the builder use the same functions.
//
// An address comes from a person who edits it by hand in OBS. So nothing in it is an error: a value out of
// its range becomes the nearest one, and an unknown word is ignored.

export type Mode = 'list' | 'danmaku' | 'both';
export type Direction = 'up' | 'down';
export type Hidden = 'bots' | 'commands' | 'gifts' | 'super_chats';

export const MODES: readonly Mode[] = ['list', 'danmaku', 'both'];
export const DIRECTIONS: readonly Direction[] = ['up', 'down'];
export const HIDDEN: readonly Hidden[] = ['bots', 'commands', 'gifts', 'super_chats'];

export interface Settings {
  /** Id of the room; empty where the address names none. */
  room: string;
  mode: Mode;
  /** Size of texts in pixels. */
  sizePx: number;
  /** Family of the font; empty for the page's own. */
  font: string;
  /** Seconds after which a row leaves; 0 for never. */
  fadeSecs: number;
  /** Rows of the list at most. */
  rowsMax: number;
  hide: readonly Hidden[];
  /** Ids or names of users whose messages are not shown. */
  block: readonly string[];
  badges: boolean;
  /** Whether authors have the picture that they chose. */
  avatars: boolean;
  /** Whether emotes are images; else they stay words. */
  emotes: boolean;
  /** `up`: the newest row is at the bottom. `down`: it is at the top. */
  dir: Direction;
  alerts: boolean;
  ticker: boolean;
  /** Opacity of danmaku, 0.1 to 1. */
  opacity: number;
  /** Part of the height that danmaku use, from the top. */
  area: number;
  /** Language of sentences such as "sent a rose". */
  lang: 'en' | 'zh';
  /** Shows samples in place of a room's messages. */
  preview: boolean;
}

export const DEFAULTS: Settings = {
  room: '',
  mode: 'list',
  sizePx: 24,
  font: '',
  fadeSecs: 0,
  rowsMax: 50,
  hide: [],
  block: [],
  badges: true,
  avatars: true,
  emotes: true,
  dir: 'up',
  alerts: true,
  ticker: true,
  opacity: 1,
  area: 1,
  lang: 'en',
  preview: false,
};

const ROOM_PATTERN = /^[A-Za-z0-9_-]{1,64}$/;
/** Families of fonts: letters and digits of any language, spaces, commas and hyphens. No CSS beyond that. */
const FONT_PATTERN = /^[\p{L}\p{N}][\p{L}\p{N} ,_-]{0,79}$/u;
/** Names in `block`, at most. */
const BLOCK_MAX = 100;

/** Reads settings from the query of an address. */
export function readSettings(query: URLSearchParams, language = 'en'): Settings {
  const text = (name: string): string => (query.get(name) ?? '').trim();
  const word = <W extends string>(name: string, words: readonly W[], otherwise: W): W =>
    words.find((one) => one === text(name).toLowerCase()) ?? otherwise;
  const list = (name: string): string[] =>
    text(name)
      .split(',')
      .map((one) => one.trim().toLowerCase())
      .filter((one) => one !== '');
  return {
    room: ROOM_PATTERN.test(text('room')) ? text('room') : '',
    mode: word('mode', MODES, DEFAULTS.mode),
    sizePx: number(text('size'), 8, 120, DEFAULTS.sizePx),
    font: FONT_PATTERN.test(text('font')) ? text('font') : '',
    fadeSecs: number(text('fade'), 0, 3_600, DEFAULTS.fadeSecs),
    rowsMax: Math.round(number(text('max'), 1, 200, DEFAULTS.rowsMax)),
    hide: HIDDEN.filter((one) => list('hide').includes(one)),
    block: list('block').slice(0, BLOCK_MAX),
    badges: flag(text('badges'), DEFAULTS.badges),
    avatars: flag(text('avatars'), DEFAULTS.avatars),
    emotes: flag(text('emotes'), DEFAULTS.emotes),
    dir: word('dir', DIRECTIONS, DEFAULTS.dir),
    alerts: flag(text('alerts'), DEFAULTS.alerts),
    ticker: flag(text('ticker'), DEFAULTS.ticker),
    opacity: number(text('opacity'), 0.1, 1, DEFAULTS.opacity),
    area: number(text('area'), 0.1, 1, DEFAULTS.area),
    lang: word('lang', ['en', 'zh'], language.toLowerCase().startsWith('zh') ? 'zh' : 'en'),
    preview: flag(text('preview'), DEFAULTS.preview),
  };
}

/** Writes settings as a query, without those that are the default. The room comes first. */
export function writeSettings(settings: Settings): URLSearchParams {
  const query = new URLSearchParams();
  const add = (name: string, value: string | number | boolean, otherwise: string | number | boolean): void => {
    if (value === otherwise) return;
    query.set(name, typeof value === 'boolean' ? (value ? '1' : '0') : String(value));
  };
  add('room', settings.room, '');
  add('mode', settings.mode, DEFAULTS.mode);
  add('size', settings.sizePx, DEFAULTS.sizePx);
  add('font', settings.font, DEFAULTS.font);
  add('fade', settings.fadeSecs, DEFAULTS.fadeSecs);
  add('max', settings.rowsMax, DEFAULTS.rowsMax);
  add('hide', settings.hide.join(','), '');
  add('block', settings.block.join(','), '');
  add('badges', settings.badges, DEFAULTS.badges);
  add('avatars', settings.avatars, DEFAULTS.avatars);
  add('emotes', settings.emotes, DEFAULTS.emotes);
  add('dir', settings.dir, DEFAULTS.dir);
  add('alerts', settings.alerts, DEFAULTS.alerts);
  add('ticker', settings.ticker, DEFAULTS.ticker);
  add('opacity', settings.opacity, DEFAULTS.opacity);
  add('area', settings.area, DEFAULTS.area);
  add('lang', settings.lang, DEFAULTS.lang);
  add('preview', settings.preview, DEFAULTS.preview);
  return query;
}

function number(text: string, min: number, max: number, otherwise: number): number {
  const value = text === '' ? Number.NaN : Number(text);
  return Number.isFinite(value) ? Math.min(Math.max(value, min), max) : otherwise;
}

function flag(text: string, otherwise: boolean): boolean {
  if (['1', 'true', 'yes', 'on'].includes(text.toLowerCase())) return true;
  return ['0', 'false', 'no', 'off'].includes(text.toLowerCase()) ? false : otherwise;
}
