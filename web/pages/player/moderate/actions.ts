// Roles that may take actions. Pure.

const RANKS = ['viewer', 'moderator', 'host', 'admin'];

/** Longest ban of the server: ten years. */
export const BAN_SECS_MAX = 315_360_000;

/** Whether a role is at least another one. An unknown role is that of a viewer. */
export function isAtLeast(role: string | null | undefined, least: string): boolean {
  return RANKS.indexOf(role ?? '') >= RANKS.indexOf(least);
}
