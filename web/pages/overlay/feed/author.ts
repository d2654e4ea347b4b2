// The kind of an author, as YouTube's chat names it: themes choose colors and badges by it. Pure.

import { type Attrs } from '@barrage/client';

export type AuthorType = '' | 'member' | 'moderator' | 'owner';

/** Returns the kind by the role in the room, and by a badge `member` of the token's attributes. */
export function authorType(role: string, attrs: Attrs | undefined): AuthorType {
  switch (role) {
    case 'host':
      return 'owner';
    case 'moderator':
    case 'admin':
      return 'moderator';
    default:
      return attrs?.badges.some((badge) => badge.split('/')[0] === 'member') ? 'member' : '';
  }
}

/** Returns a hue of 0 to 359 for an author without a color of their own; the same in all messages. */
export function hueOf(user: string): number {
  // FNV-1a, then the golden angle, which gives similar hashes different hues.
  let hash = 0x811c9dc5;
  for (const character of user) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return Math.round((hash % 1_024) * 137.508) % 360;
}

/** Returns the hue of a color, or null for a grey. The overlay chooses the lightness, so that names can be read. */
export function hueOfColor(rgb: number): number | null {
  const [red, green, blue] = [(rgb >> 16) & 255, (rgb >> 8) & 255, rgb & 255];
  if (Math.max(red, green, blue) - Math.min(red, green, blue) < 16) return null;
  const hue = Math.atan2(Math.sqrt(3) * (green - blue), 2 * red - green - blue) * (180 / Math.PI);
  return Math.round((hue + 360) % 360);
}
