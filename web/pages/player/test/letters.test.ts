// Parts of the inbox without a browser and a server: the run of items, the rows, letters that wait, previews and names.

import { expect, test, vi } from 'vitest';
import { type Conversation, type Item, type Letter, type Written } from '@barrage/client/inbox';
import { Blocks } from '../letters/blocks.ts';
import { offerOf } from '../letters/fans/group.ts';
import { Names } from '../letters/list/names.ts';
import { Previews } from '../letters/list/previews.ts';
import { dayOf, lineOf, whenOf, whyOf } from '../letters/texts/words.ts';
import { entriesOf } from '../letters/thread/entries.ts';
import { History } from '../letters/thread/history.ts';
import { Outbox, OUTBOX_MAX } from '../letters/thread/outbox.ts';
import { Window } from '../letters/thread/window.ts';

// The texts ask for the language of the browser when they are loaded.
vi.hoisted(() => Object.defineProperty(globalThis, 'navigator', { value: { language: 'en' }, configurable: true }));

const item = (position: number, more: Partial<Item> = {}): Item => ({ position, sender: 'bob', at_ms: position * 1_000, kind: 'text', body: { name: 'Bob', text: `text ${position}` }, ...more });
const row = (more: Partial<Conversation> = {}): Conversation => ({ conversation: 'd.1', kind: 'direct', peer: 'bob', head: 9, at_ms: 9_000, unread: 0, read: 9, ...more });
const positions = (items: readonly Item[]): number[] => items.map(({ position }) => position);
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

test('a window takes items at both ends, what they recall, and knows a gap', () => {
  const window = new Window();
  window.take([item(4), item(5)]);
  window.take([item(2), item(3)]);
  expect(positions(window.items)).toEqual([2, 3, 4, 5]);
  expect([window.continues([item(6)]), window.continues([item(7)]), window.continues([item(5)])]).toEqual([true, false, true]);
  window.take([item(6, { kind: undefined, body: undefined, recalls: 3 })]);
  expect(window.items[1]).toMatchObject({ position: 3, recalled: true });
  expect(window.items[1]).not.toHaveProperty('body');
  window.hide(4);
  expect(positions(window.items)).toEqual([2, 3, 5, 6]);
  window.clear(2);
  window.dropOldest(2);
  expect(positions(window.items)).toEqual([5, 6]);
  expect([window.dropNewest(2), window.dropNewest(1), window.last]).toEqual([false, true, 5]);
});

/** A conversation of 1,000 items at a server. */
function server(): { items(conversation: string, query?: { before?: number; limit?: number }): Promise<Item[]>; asked: number } {
  const made = {
    asked: 0,
    async items(_: string, { before = 1_001, limit = 50 } = {}) {
      made.asked += 1;
      const first = Math.max(1, before - limit);
      return Array.from({ length: before - first }, (_, at) => item(first + at));
    },
  };
  return made;
}

test('a history shows the newest items, older ones on demand, at most 400, and begins anew behind a gap', async () => {
  const source = server();
  const names = new Names(() => null);
  const known = row({ head: 1_000 });
  const history = new History(source, names, () => known, () => undefined);
  await history.newest();
  expect([history.items[0]?.position, history.isAtEnd, history.isWhole]).toEqual([951, true, false]);
  for (let page = 0; page < 12; page += 1) await history.older();
  expect([history.items.length, history.items[0]?.position, history.isAtEnd]).toEqual([400, 351, false]);
  history.arrived([item(1_001)]);
  expect(history.items.at(-1)?.position).toBe(750);
  await history.newest();
  history.arrived([item(1_001)]);
  expect(history.items.at(-1)?.position).toBe(1_001);
  const { asked } = source;
  history.arrived([item(1_005)]);
  expect(source.asked).toBe(asked + 1);
  known.after = 1_001;
  history.update();
  await settle();
  history.update();
  expect([history.items.length, history.isWhole]).toEqual([0, true]);
});

test('rows have days, runs of one sender, the line above unread items, and a receipt below the newest own one', () => {
  const context = { names: new Names(() => null), user: 'ann', isGroup: false, conversation: 'd.1', isRequest: false, quoted: () => null };
  const own = { sender: 'ann', body: { name: 'Ann', text: 'own' } };
  const items = [item(1, { at_ms: 0 }), item(2, { at_ms: 1_000 }), item(3, { at_ms: 2_000, ...own }), item(4, { at_ms: 3_000, recalls: 1, kind: undefined }), item(5, { at_ms: 9e7 })];
  const shown = { row: row({ peer_read: 2 }), items, outgoing: [], isWhole: true, readBefore: 3 };
  const acts = { again: () => undefined, discard: () => undefined };
  const entries = entriesOf(shown, context, acts);
  expect(entries.map(({ key }) => key)).toEqual(['beginning', 'day-0', 'item-1', 'item-2', 'item-3', expect.stringMatching(/^day-/), 'unread', 'item-5']);
  const look = (key: string, of = entries): string[] => of.find((entry) => entry.key === key)!.look.split('\0');
  expect([look('item-1')[1], look('item-2')[1], look('item-3')[1]]).toEqual(['true', 'false', 'true']);
  expect([look('item-2')[2], look('item-3')[2]]).toEqual(['', 'Delivered']);
  const read = entriesOf({ ...shown, row: row({ peer_read: 3 }) }, context, acts);
  expect(look('item-3', read)[2]).toBe('Read');
});

test('a letter waits until its item arrives, and one that failed is sent again under its id', async () => {
  const posted: (Letter & { id?: string })[] = [];
  let answer: (id: string) => Written = (id) => ({ kind: 'refused', code: 'blocked', message: '', id });
  const outbox = new Outbox(
    async (letter) => {
      posted.push(letter);
      return answer(letter.id ?? '');
    },
    () => undefined,
  );
  await outbox.send({ text: 'hello' });
  expect(outbox.letters).toMatchObject([{ state: 'failed', why: whyOf({ code: 'blocked', message: '' }) }]);
  answer = (id) => ({ kind: 'accepted', conversation: 'd.1', id });
  const { id, letter, medium } = outbox.letters[0]!;
  await outbox.send(letter, medium, id);
  expect([posted.length, posted[1]?.id, outbox.letters[0]?.state]).toEqual([2, posted[0]?.id, 'accepted']);
  outbox.undelivered({ conversation: 'd.1', id, reason: 'blocked', at_ms: 0 });
  expect(outbox.letters[0]?.state).toBe('failed');
  outbox.arrived(id);
  expect(outbox.letters).toEqual([]);
  for (let n = 0; n < OUTBOX_MAX; n += 1) await outbox.send({ text: `${n}` });
  expect(outbox.isFull).toBe(true);
});

test('the list reads the newest item of a conversation once, and again when it has changed', async () => {
  const asked: string[] = [];
  const names = new Names((user) => (user === 'cy' ? { name: 'Cy of the room' } : null));
  const inbox = {
    items: async (conversation: string) => {
      asked.push(conversation);
      return [item(8), item(9, { recalls: 8, kind: undefined, body: undefined })];
    },
  };
  let changes = 0;
  const previews = new Previews(inbox, names, () => (changes += 1));
  expect(previews.of(row())).toBeNull();
  previews.of(row());
  await settle();
  expect([previews.of(row())?.position, asked.length, changes, names.of('bob'), names.of('cy'), names.of('di')]).toEqual([8, 1, 1, 'Bob', 'Cy of the room', 'di']);
  previews.of(row({ head: 10 }));
  await settle();
  previews.forget('d.1');
  previews.of(row({ head: 10 }));
  await settle();
  expect(asked.length).toBe(3);
});

test('rules and blocks show at once what the server took, and go back where it refused', async () => {
  const refused = { kind: 'refused' as const, code: 'unavailable', message: '' };
  const failures: string[] = [];
  let isDown = false;
  const change = async () => (isDown ? refused : { kind: 'accepted' as const });
  const preferences = async () => (isDown ? refused : { preferences: { policy: 'requests' as const, receipts: 'shown' as const }, blocked: ['mallory'] });
  const blocks = new Blocks({ preferences, prefer: change, block: change, unblock: change }, () => undefined, (why) => failures.push(why));
  isDown = true;
  await blocks.load();
  expect(blocks.preferences).toBeNull();
  isDown = false;
  await blocks.load();
  expect([blocks.has('mallory'), blocks.preferences?.policy]).toEqual([true, 'requests']);
  await blocks.prefer({ policy: 'known' });
  await blocks.block('bob');
  await blocks.unblock('mallory');
  expect([blocks.preferences?.policy, blocks.users]).toEqual(['known', ['bob']]);
  isDown = true;
  await blocks.prefer({ policy: 'everyone' });
  await blocks.block('cy');
  await blocks.unblock('bob');
  expect([blocks.preferences?.policy, blocks.users, failures.length]).toEqual(['known', ['bob'], 3]);
});

test('a change of the rules while another one is saved keeps both', async () => {
  const sent: object[] = [];
  const answers: (() => void)[] = [];
  const prefer = (preferences: object) => {
    sent.push(preferences);
    return new Promise<{ kind: 'accepted' }>((resolve) => answers.push(() => resolve({ kind: 'accepted' })));
  };
  const preferences = async () => ({ preferences: { policy: 'requests' as const, receipts: 'shown' as const }, blocked: [] });
  const accept = async () => ({ kind: 'accepted' as const });
  const blocks = new Blocks({ preferences, prefer, block: accept, unblock: accept }, () => undefined, () => undefined);
  await blocks.load();
  void blocks.prefer({ policy: 'known' });
  await settle();
  const both = blocks.prefer({ receipts: 'hidden' });
  await settle();
  expect([sent, blocks.preferences]).toEqual([[{ policy: 'known', receipts: 'shown' }], { policy: 'known', receipts: 'hidden' }]);
  answers[0]!();
  await settle();
  answers[1]!();
  await both;
  expect(sent.at(-1)).toEqual({ policy: 'known', receipts: 'hidden' });
});

test('the button of a fan group offers what its viewer may do', () => {
  const group = (more = {}) => ({ conversation: 'g.1', settings: { title: 'Fans', room: 'demo' }, members: 3, joined: false, ...more });
  const act = (of: Parameters<typeof offerOf>[0], role = 'viewer') => offerOf(of, 'demo', role)?.act ?? null;
  expect([act(null), act(null, 'host'), act(group()), act(group({ joined: true })), act(group({ role: 'applicant' })), act(group({ role: 'banned' }))]).toEqual([null, 'start', 'join', 'open', 'none', null]);
  expect(act(group({ settings: { title: 'Fans', room: 'other' } })), 'a group of another room').toBeNull();
  expect(offerOf(group({ settings: { title: 'Fans', room: 'demo', join: 'ask' } }), 'demo', 'viewer')?.label).toBe('askToJoin');
});

test('items and times have words', () => {
  expect([lineOf(item(1)), lineOf(item(1, { kind: 'sticker' })), lineOf(item(1, { kind: 'image', body: {} })), lineOf(item(1, { kind: 'image' })), lineOf(item(1, { recalled: true })), lineOf(item(1, { kind: 'voice' as never })), lineOf(item(1, { body: { text: 7 } }))]).toEqual([
    'text 1', '[sticker] text 1', '[image]', '[image] text 1', 'Message recalled', '[not shown by this version]', '',
  ]);
  const now = new Date(2026, 5, 15, 12).getTime();
  expect([dayOf(now, now), dayOf(now - 86_400_000, now), whenOf(0, now), whenOf(now, now)]).toEqual(['Today', 'Yesterday', '', '12:00']);
  expect(whyOf({ code: 'odd_code', message: '' })).toBe('odd_code');
});
