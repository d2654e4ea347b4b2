// The overlay's own sentences, in the language of its address.

import { type Settings } from './settings.ts';

type Language = Settings['lang'];

/** Isolates a name, so that its direction does not change the sentence around it. */
function isolated(text: string): string {
  return `\u2068${text}\u2069`;
}

export function gave(language: Language, gift: string): string {
  return language === 'zh' ? `送出 ${isolated(gift)}` : `sent ${isolated(gift)}`;
}

/** Returns what the overlay says when the room cannot be shown. */
export function problem(language: Language, code: string): string {
  return language === 'zh' ? `无法显示此房间：${code}` : `This room cannot be shown: ${code}`;
}
