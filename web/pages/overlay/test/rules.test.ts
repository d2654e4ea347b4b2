import { expect, test } from 'vitest';
import { type Chat, type Gift, type SuperChat } from '@barrage/client';
import { authorType, hueOfColor } from '../feed/author.ts';
import { imageUrl } from '../feed/emotes.ts';
import { isShown } from '../feed/filter.ts';
import { tierOf } from '../feed/tiers.ts';

const chat = (more: Partial<Chat> = {}): Chat => ({
  type: 'chat', id: 'c', user: 'u1', name: 'Ann', at_ms: 1, text: 'hello', style: { mode: 'scroll', color: 0xffffff, size: 'normal' }, ...more,
});
const gift: Gift = { type: 'gift', id: 'g', user: 'u1', name: 'Ann', at_ms: 1, gift: { name: 'rose', count: 1, price_minor: 0 } };
const paid = (amount_minor: number, currency: string, tier?: SuperChat['tier']): SuperChat => ({
  type: 'super_chat', id: 's', user: 'u1', name: 'Ann', at_ms: 1, text: 'x', amount_minor, currency, ...(tier ? { tier } : {}),
});

test('commands, bots, gifts and super chats are hidden when the address says so', () => {
  const hide = (what: 'bots' | 'commands' | 'gifts' | 'super_chats') => ({ hide: [what], block: [] });
  expect(isShown(chat({ text: '!song x' }), hide('commands'))).toBe(false);
  expect(isShown(chat({ text: '/slow 5' }), hide('commands'))).toBe(false);
  expect(isShown(chat({ text: '!!! wow' }), hide('commands'))).toBe(true);
  expect(isShown(chat({ attrs: { badges: ['bot/1'] } }), hide('bots'))).toBe(false);
  expect(isShown(chat({ attrs: { badges: ['robot'] } }), hide('bots'))).toBe(true);
  expect(isShown(gift, hide('gifts'))).toBe(false);
  expect(isShown(paid(100, 'USD'), hide('super_chats'))).toBe(false);
  expect(isShown(gift, hide('super_chats'))).toBe(true);
});

test('a blocked user is found by id or by name', () => {
  expect(isShown(chat(), { hide: [], block: ['u1'] })).toBe(false);
  expect(isShown(chat({ name: '小明' }), { hide: [], block: ['小明'] })).toBe(false);
  expect(isShown(chat(), { hide: [], block: ['u2'] })).toBe(true);
});

test('kinds of authors have the names of YouTube', () => {
  expect(['host', 'moderator', 'admin', ''].map((role) => authorType(role, undefined))).toEqual(['owner', 'moderator', 'moderator', '']);
  expect(authorType('', { badges: ['member/12'] })).toBe('member');
  expect(authorType('', { badges: ['membership'] })).toBe('');
});

test('the tier of the server goes before one by the amount', () => {
  expect(tierOf(paid(100, 'USD')).topSecs).toBe(0);
  expect(tierOf(paid(2_500, 'EUR')).level).toBe(5);
  expect(tierOf(paid(1_500, 'JPY')).level).toBe(4);
  expect(tierOf(paid(100, 'USD', { level: 9, color: 0xffffff, top_secs: 60 }))).toMatchObject({ level: 9, text: '#000000', topSecs: 60 });
});

test('a tier is bounded whatever the amount or the server says', () => {
  expect(tierOf(paid(Number.MAX_VALUE, '__proto__')).level).toBe(7);
  expect(tierOf(paid(-5, 'constructor')).level).toBe(1);
  expect(tierOf(paid(1, 'USD', { level: 1, color: 0, top_secs: 1e12 })).topSecs).toBe(18_000);
  expect(tierOf(paid(1, 'USD', { level: 1, color: 0, top_secs: Number.NaN })).topSecs).toBe(0);
});

test('images of emotes are of https or of the own host', () => {
  expect(imageUrl('/emotes/{px}.png', [28, 56], 30)).toBe('/emotes/56.png');
  expect(imageUrl('https://cdn.example/{px}', [28], 30)).toBe('https://cdn.example/28');
  for (const url of ['//evil.example/x', '/\\evil.example', '\\\\evil', 'http://cdn.example/x', 'javascript:alert(1)', 'data:image/svg+xml,x', 7]) {
    expect(imageUrl(url, [28], 30), String(url)).toBeNull();
  }
  expect(imageUrl('/x', [], 30)).toBeNull();
});

test('a grey has no hue', () => {
  expect(hueOfColor(0x808080)).toBeNull();
  expect(hueOfColor(0xff0000)).toBe(0);
});
