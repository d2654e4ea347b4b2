// Hues of senders. Pure.

/** Returns the hue of a sender, which is the same in all messages. */
export function hueOf(who: string): number {
  // FNV-1a, then the golden angle, which gives similar hashes different hues.
  let hash = 0x811c9dc5;
  for (const character of who) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return Math.round((hash % 1_024) * 137.508) % 360;
}

/** Returns the hue of a color. Its lightness is the page's own, so that every name can be read. */
export function hueOfColor(rgb: number): number {
  const [red, green, blue] = [rgb >> 16, (rgb >> 8) & 255, rgb & 255];
  const hue = Math.atan2(Math.sqrt(3) * (green - blue), 2 * red - green - blue) * (180 / Math.PI);
  return Math.round((hue + 360) % 360);
}
