// Texts of the inbox, in Chinese and English. They are apart from those of the page, because most visits need none.

import { texts } from '@barrage/ui/language.ts';
import { EN } from './en.ts';
import { ZH } from './zh.ts';

export { count, inLanguage, isolated, locale } from '@barrage/ui/language.ts';
export { type Key } from './zh.ts';

const inbox = texts(ZH, EN);
export const t = inbox.t;
export const isKey = inbox.isKey;
