// The replay player's texts in the current language.

import { texts } from '@barrage/ui/language.ts';
import { EN } from './en.ts';
import { ZH, type Key } from './zh.ts';

export type { Key } from './zh.ts';

const page = texts<Key>(ZH, EN);
export const t = page.t;
export const isKey = page.isKey;
export const say = page.say;
export const translatePage = page.translatePage;
