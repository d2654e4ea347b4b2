// Slash commands in the text box: `/timeout @Ann 10m reason`. Pure; the texts of the page name the rest.

import { type Key } from '../page/zh.ts';
import { type Action } from '@barrage/client';
import { REACTION_NAME, REACTIONS_MAX } from '@barrage/ui/reactions.ts';
import { BAN_SECS_MAX, isAtLeast } from './actions.ts';

type Role = 'viewer' | 'moderator' | 'host';

export type Command =
  | { kind: 'act'; action: Action; reason?: string; name: string }
  | { kind: 'block' | 'unblock'; user: string; name: string }
  | { kind: 'report'; user: string; name: string; sequence: number | null; reason?: string }
  | { kind: 'unknown'; name: string }
  | { kind: 'forbidden'; name: string; role: 'moderator' | 'host' }
  | { kind: 'usage'; usage: string }
  | { kind: 'no_message'; user: string };

/** Finds a sender by id or name: the text box has names, the server wants ids. */
export type Find = (of: string) => { user: string; name: string; sequence: number | null } | null;

interface Spec {
  role: Role;
  usage: readonly Key[];
  read(words: Words): Command | null;
}

export const USAGE_TEXTS = ['usageUser', 'usageUserOrNumber', 'usageTime', 'usageSecs', 'usageReason', 'usageText', 'usageReactions'] as const;

const TIMEOUT_SECS = 600;
const SLOW_SECS = 10;
const SLOW_SECS_MAX = 3_600;
const UNITS: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 };

/** Reads a time such as `90`, `10m` or `2h`, in seconds; null for another word. */
export function readTime(word: string | undefined): number | null {
  const [, digits, unit = 's'] = /^(\d{1,9})([smhdw])?$/u.exec(word ?? '') ?? [];
  if (digits === undefined) return null;
  const secs = Number(digits) * (UNITS[unit] ?? 1);
  return secs >= 1 && secs <= BAN_SECS_MAX ? secs : null;
}

/** The words behind a command, read from the left. */
class Words {
  #left: string[];

  constructor(
    text: string,
    private readonly find: Find,
  ) {
    this.#left = text.split(/\s+/u).filter((word) => word !== '');
  }

  user(): { user: string; name: string; sequence: number | null } | null {
    const first = this.#left[0]?.replace(/^@/u, '');
    if (first === undefined || first === '') return null;
    // Names may have spaces: the longest one that somebody has is meant.
    for (let words = Math.min(this.#left.length, 4); words > 1; words -= 1) {
      const found = this.find(this.#left.slice(0, words).join(' ').replace(/^@/u, ''));
      if (!found) continue;
      this.#left.splice(0, words);
      return found;
    }
    this.#left.shift();
    return this.find(first) ?? { user: first, name: first, sequence: null };
  }

  time(): number | null {
    const secs = readTime(this.#left[0]);
    if (secs !== null) this.#left.shift();
    return secs;
  }

  number(): number | null {
    const found = /^#?(\d{1,15})$/u.exec(this.#left[0] ?? '');
    if (!found) return null;
    this.#left.shift();
    return Number(found[1]);
  }

  get isEmpty(): boolean {
    return this.#left.length === 0;
  }

  rest(): string | undefined {
    return this.#left.length === 0 ? undefined : this.#left.join(' ');
  }
}

function act(action: Action, words: Words, name = ''): Command {
  const reason = words.rest();
  return { kind: 'act', action, name, ...(reason === undefined ? {} : { reason }) };
}

/** An action on a user. */
function onUser(make: (user: string, words: Words) => Action): Spec['read'] {
  return (words) => {
    const found = words.user();
    return found ? act(make(found.user, words), words, found.name) : null;
  };
}

/** An action on a message: by its number, or the last one of a user. */
function onMessage(make: (sequence: number) => Action): Spec['read'] {
  return (words) => {
    const sequence = words.number();
    if (sequence !== null) return act(make(sequence), words);
    const found = words.user();
    if (!found) return null;
    return found.sequence === null ? { kind: 'no_message', user: found.name } : act(make(found.sequence), words, found.name);
  };
}

function onRoom(action: Action): Spec['read'] {
  return (words) => act(action, words);
}

function slow(words: Words): Command | null {
  const secs = words.time() ?? (words.isEmpty ? SLOW_SECS : null);
  return secs === null ? null : act({ type: 'slow_mode', secs: Math.min(secs, SLOW_SECS_MAX) }, words);
}

/** The names of the room's reactions, `none`, or `default` for those of the platform. */
function reactions(words: Words): Command | null {
  const names = words.rest()?.toLowerCase().split(' ') ?? [];
  const [first] = names;
  if (names.length === 1 && first === 'default') return { kind: 'act', action: { type: 'reactions' }, name: '' };
  const chosen = names.length === 1 && first === 'none' ? [] : names;
  if (names.length === 0 || chosen.length > REACTIONS_MAX || !chosen.every((one) => REACTION_NAME.test(one))) return null;
  return { kind: 'act', action: { type: 'reactions', names: [...new Set(chosen)] }, name: '' };
}

function announce(words: Words): Command | null {
  const text = words.rest();
  return text === undefined ? null : { kind: 'act', action: { type: 'announce', text }, name: '' };
}

function warn(words: Words): Command | null {
  const found = words.user();
  const text = words.rest();
  return found && text !== undefined ? { kind: 'act', action: { type: 'warn', user: found.user, text }, name: found.name } : null;
}

function block(kind: 'block' | 'unblock'): Spec['read'] {
  return (words) => {
    const found = words.user();
    return found && { kind, user: found.user, name: found.name };
  };
}

function report(words: Words): Command | null {
  const found = words.user();
  const reason = words.rest();
  return found && { kind: 'report', ...found, ...(reason === undefined ? {} : { reason }) };
}

const SPECS: Record<string, Spec> = {
  delete: { role: 'moderator', usage: ['usageUserOrNumber'], read: onMessage((sequence) => ({ type: 'recall', sequence })) },
  timeout: { role: 'moderator', usage: ['usageUser', 'usageTime', 'usageReason'], read: onUser((user, words) => ({ type: 'mute', user, secs: words.time() ?? TIMEOUT_SECS })) },
  untimeout: { role: 'moderator', usage: ['usageUser'], read: onUser((user) => ({ type: 'unmute', user })) },
  ban: { role: 'moderator', usage: ['usageUser', 'usageTime', 'usageReason'], read: onUser((user, words) => ({ type: 'ban', user, secs: words.time() ?? BAN_SECS_MAX })) },
  unban: { role: 'moderator', usage: ['usageUser'], read: onUser((user) => ({ type: 'unban', user })) },
  kick: { role: 'moderator', usage: ['usageUser', 'usageReason'], read: onUser((user) => ({ type: 'kick', user })) },
  purge: { role: 'moderator', usage: ['usageUser', 'usageReason'], read: onUser((user) => ({ type: 'purge', user })) },
  warn: { role: 'moderator', usage: ['usageUser', 'usageText'], read: warn },
  slow: { role: 'moderator', usage: ['usageSecs'], read: slow },
  slowoff: { role: 'moderator', usage: [], read: onRoom({ type: 'slow_mode', secs: 0 }) },
  muteall: { role: 'moderator', usage: [], read: onRoom({ type: 'mute_all', on: true }) },
  unmuteall: { role: 'moderator', usage: [], read: onRoom({ type: 'mute_all', on: false }) },
  clear: { role: 'moderator', usage: [], read: onRoom({ type: 'clear' }) },
  pin: { role: 'moderator', usage: ['usageUserOrNumber'], read: onMessage((sequence) => ({ type: 'pin', sequence })) },
  unpin: { role: 'moderator', usage: [], read: onRoom({ type: 'unpin' }) },
  announce: { role: 'moderator', usage: ['usageText'], read: announce },
  shield: { role: 'moderator', usage: [], read: onRoom({ type: 'shield', on: true }) },
  shieldoff: { role: 'moderator', usage: [], read: onRoom({ type: 'shield', on: false }) },
  reactions: { role: 'moderator', usage: ['usageReactions'], read: reactions },
  mod: { role: 'host', usage: ['usageUser'], read: onUser((user) => ({ type: 'role', user, role: 'moderator' })) },
  unmod: { role: 'host', usage: ['usageUser'], read: onUser((user) => ({ type: 'role', user, role: 'viewer' })) },
  block: { role: 'viewer', usage: ['usageUser'], read: block('block') },
  unblock: { role: 'viewer', usage: ['usageUser'], read: block('unblock') },
  report: { role: 'viewer', usage: ['usageUser', 'usageReason'], read: report },
};

/** Returns the text that a slash at its beginning does not make a command: `//x` sends `/x`. */
export function plainText(text: string): string | null {
  if (text.startsWith('//')) return text.slice(1);
  return /^\/[a-z]/iu.test(text) ? null : text;
}

/** Reads a text that is a command. */
export function readCommand(text: string, role: string | null, find: Find, usageOf: (key: Key) => string): Command {
  const [, given = '', rest = ''] = /^\/(\S+)\s*(.*)$/su.exec(text) ?? [];
  const name = given.toLowerCase();
  const spec = Object.hasOwn(SPECS, name) ? SPECS[name] : undefined;
  if (!spec) return { kind: 'unknown', name: given };
  if (spec.role !== 'viewer' && !isAtLeast(role, spec.role)) return { kind: 'forbidden', name, role: spec.role };
  return spec.read(new Words(rest, find)) ?? { kind: 'usage', usage: [`/${name}`, ...spec.usage.map(usageOf)].join(' ') };
}

/** Returns the commands that a role may use and whose name begins with the letters. */
export function commandsFor(role: string | null, letters: string): { name: string; usage: readonly Key[] }[] {
  return Object.entries(SPECS)
    .filter(([name, { role: least }]) => name.startsWith(letters.toLowerCase()) && (least === 'viewer' || isAtLeast(role, least)))
    .map(([name, { usage }]) => ({ name, usage }));
}
