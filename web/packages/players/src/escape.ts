// For players that take texts as markup.

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;', '`': '&#96;' };

/** Returns markup that shows the text as it is. Also safe as the value of an attribute in quotes. */
export function escapeMarkup(text: string): string {
  return text.replace(/[&<>"'`]/g, (character) => ENTITIES[character] ?? '');
}

/** Returns a color as players take it. Anything but a color of 24 bits is white. */
export function hexColor(rgb: unknown): string {
  const isColor = typeof rgb === 'number' && Number.isInteger(rgb) && rgb >= 0 && rgb <= 0xffffff;
  return `#${(isColor ? rgb : 0xffffff).toString(16).padStart(6, '0')}`;
}
