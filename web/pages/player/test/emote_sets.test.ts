// Sets of emotes without a browser: what a page takes of an answer, and which addresses of uploads it loads.

import { expect, test } from 'vitest';
import { emotesOf, readSets, uploadedUrl } from '@barrage/ui/emote_sets.ts';

const one = { id: 'k', name: 'Kappa', url: '/k.png', px: [28] };
const PATH = `/v1/media/${'ab'.repeat(32)}/96?k=1&s=2`;

test('an emote of an unknown kind is a word, and one without an address is left out', () => {
  const given = { emotes: [one, { ...one, kind: 'sticker', media: { digest: 'd' } }, { ...one, kind: 'badge' }, { ...one, kind: 'hologram' }, { ...one, url: 7 }, null] };
  expect(emotesOf(given).map(({ kind, media }) => [kind, media?.digest])).toEqual([['emote', undefined], ['sticker', 'd'], ['badge', undefined], ['emote', undefined]]);
  expect([emotesOf(null), emotesOf({}), emotesOf({ emotes: 'all' })]).toEqual([[], [], []]);
});

test('an upload is loaded from the media host alone', () => {
  expect(uploadedUrl({ url: PATH }, 'https://m.example')).toBe(`https://m.example${PATH}`);
  expect(uploadedUrl({ url: PATH }, null)).toBeNull();
  for (const url of [`.evil.example${PATH}`, `@evil.example${PATH}`, 'https://evil.example/a.png', '/v1/media/x/96?k=1', '']) expect(uploadedUrl({ url }, 'https://m.example')).toBeNull();
});

test('the sets are those of before while one of them is not answered', async () => {
  const answered = { kind: 'answered', answer: { emotes: [one] } };
  const refused = { kind: 'refused', code: 'network', message: '' };
  const room = (own: unknown) => ({ call: ({ path }: { path?: string }) => Promise.resolve(path === undefined ? own : answered) }) as unknown as Parameters<typeof readSets>[0];
  expect(await readSets(room(answered))).toHaveLength(2);
  expect(await readSets(room(refused))).toBeNull();
});
