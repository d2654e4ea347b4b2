// Reactions beside the like: symbols for usual names, and the platform's set.

import { Api, ApiFailure } from './api.ts';

/** Reactions of a room's own set at most, as the server counts. */
export const REACTIONS_MAX = 12;
/** Names that the server takes. */
export const REACTION_NAME = /^[a-z0-9_]{1,16}$/u;

/** Symbols by name, in the order in which a moderator chooses. */
const SYMBOLS: Readonly<Record<string, string>> = {
  clap: '👏', fire: '🔥', laugh: '😂', wow: '😮', heart: '💗', cry: '😭', party: '🎉', ok: '👌', rose: '🌹', star: '⭐',
  rocket: '🚀', cake: '🎂', pray: '🙏', think: '🤔', cool: '😎', eyes: '👀', hundred: '💯', gg: '🤝', plus_1: '👍', question: '❓',
};

/** Names that have a symbol. */
export const USUAL_REACTIONS: readonly string[] = Object.keys(SYMBOLS);

/** Returns the symbol of a reaction; its name where it has none. */
export function symbolOf(name: string): string {
  return Object.hasOwn(SYMBOLS, name) ? SYMBOLS[name]! : name;
}

/** Returns the names of a list that comes from a server; null for what is no list. */
export function reactionsOf(names: unknown): string[] | null {
  return Array.isArray(names) ? names.filter((name): name is string => typeof name === 'string' && REACTION_NAME.test(name)) : null;
}

/** Loads the platform's reactions from the first uplink that answers; null where no server tells them. */
export async function loadReactions(uplinks: readonly string[]): Promise<string[] | null> {
  for (const base of uplinks) {
    try {
      return reactionsOf((await new Api(null, base).get<{ reactions?: unknown }>('/v1/reactions')).reactions);
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      // A server of an earlier release has no such list.
      if (error.kind !== 'network') return null;
    }
  }
  return null;
}
