// Sample messages for the preview: what a stream looks like, without a room. Pure.

import { type Body, type Written } from '@barrage/client';

type Sample = Partial<Written> & Pick<Written, 'type' | 'name'> & Record<string, unknown>;

const WHITE = { mode: 'scroll', color: 0xffffff, size: 'normal' } as const;

const SAMPLES: readonly Sample[] = [
  { type: 'chat', name: 'Mika', text: 'good evening from Lisbon!' },
  { type: 'chat', name: '小满', text: '来了来了，主播晚上好', attrs: { badges: ['member/12'], level: 21 } },
  { type: 'chat', name: 'Theo', text: 'that intro gets me every time', style: { ...WHITE, color: 0x8fd3ff } },
  { type: 'chat', name: 'Ayla', role: 'moderator', text: 'Be kind in here. Links stay off tonight.' },
  { type: 'gift', name: 'Jonas', gift: { name: 'rose', count: 3, price_minor: 100 } },
  { type: 'chat', name: '柚子', text: '前方高能！', style: { ...WHITE, mode: 'top', color: 0xffd66e } },
  { type: 'super_chat', name: 'Ines', text: 'Your last album got me through the winter. Thank you!', amount_minor: 2_500, currency: 'EUR' },
  { type: 'chat', name: 'Noor', text: 'the lights are so beautiful tonight', attrs: { badges: ['vip'], color: 0xff7da0 } },
  { type: 'chat', name: 'Rin', role: 'host', text: 'Thank you all for being here ♥' },
  { type: 'chat', name: 'Kofi', text: 'wait, is that a new guitar?' },
  { type: 'super_chat', name: '阿木', text: '生日快乐！', amount_minor: 66_600, currency: 'CNY' },
  { type: 'chat', name: 'Lena', text: '哈哈哈哈哈哈', style: { ...WHITE, size: 'large' } },
  { type: 'gift', name: 'Sora', gift: { name: 'cake', count: 1, price_minor: 2_000 } },
  { type: 'chat', name: 'Mateo', text: '@Kofi custom built, he said last week' },
];

/** Returns the sample with this number; numbers beyond the last begin again. */
export function sample(number: number, atMs: number): Body {
  const { name, ...rest } = SAMPLES[number % SAMPLES.length] as Sample;
  const user = `sample-${number % SAMPLES.length}`;
  const body = { id: `sample-${number}`, user, name, at_ms: atMs, ...rest };
  return (body.type === 'chat' ? { style: WHITE, ...body } : body) as Body;
}
