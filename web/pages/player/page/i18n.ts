// The viewer page's texts, in Chinese and English.

import { texts } from '@barrage/ui/language.ts';
import { EN } from './en.ts';
import { ZH } from './zh.ts';

export { count, inLanguage, isolated, locale, switchLanguage } from '@barrage/ui/language.ts';
export { type Key } from './zh.ts';

const page = texts(ZH, EN);
export const t = page.t;
export const isKey = page.isKey;
export const say = page.say;
export const translatePage = page.translatePage;

/** Returns the text key of a role's label, or null for a viewer, who has no label. */
export function roleKey(role: string | undefined): 'host' | 'moderator' | 'admin' | null {
  return role === 'host' || role === 'moderator' || role === 'admin' ? role : null;
}
