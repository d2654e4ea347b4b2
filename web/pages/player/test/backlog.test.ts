// What the list skips when more messages wait than it has rows.

import { expect, test } from 'vitest';
import { Backlog } from '../log/backlog.ts';
import { type Entry, message } from '../log/entry.ts';

const sender = { user: 'u', name: 'n', at_ms: 0 };
const style = { mode: 'scroll', size: 'normal', color: 0xffffff } as const;

function chat(sequence: number | null, origin: 'own' | 'other' = 'other'): Entry {
  return message({ type: 'chat', id: `c${sequence}`, text: 't', style, ...sender }, sequence, origin);
}

function gift(sequence: number): Entry {
  return message({ type: 'gift', id: `g${sequence}`, gift: { name: 'g', count: 1, price_minor: 1 }, ...sender }, sequence, 'other');
}

function superChat(sequence: number): Entry {
  return message({ type: 'super_chat', id: `s${sequence}`, text: 't', amount_minor: 1, currency: 'CNY', ...sender }, sequence, 'other');
}

/** Returns the entries in short: positions of messages, and numbers of skipped ones. */
function short(entries: readonly Entry[]): string[] {
  return entries.map((entry) => {
    if (entry.kind === 'message') return `${entry.body.type} ${entry.sequence}`;
    return entry.kind === 'leftOut' ? `skipped ${entry.count}` : entry.kind;
  });
}

function backlogOf(max: number, entries: Entry[]): Backlog {
  const backlog = new Backlog(max);
  for (const entry of entries) backlog.push(entry);
  return backlog;
}

test('a backlog within its bound skips nothing', () => {
  expect(short(backlogOf(3, [chat(1), gift(2), chat(3)]).take())).toEqual(['chat 1', 'gift 2', 'chat 3']);
});

test('chat of others is skipped before gifts, super chats, own messages and sentences', () => {
  const note: Entry = { kind: 'note', key: 'cleared', values: {} };
  const backlog = backlogOf(7, [gift(1), chat(2), superChat(3), chat(4), chat(null, 'own'), note, chat(7), gift(8), chat(9)]);
  expect(short(backlog.take())).toEqual(['gift 1', 'skipped 3', 'super_chat 3', 'chat null', 'note', 'gift 8', 'chat 9']);
});

test('of a flood every gift is taken, and the skipped ones are counted', () => {
  const flood = Array.from({ length: 2_000 }, (_, at) => (at % 20 === 0 ? gift(at) : chat(at)));
  const taken = backlogOf(200, flood).take();
  const ofKind = (prefix: string): string[] => short(taken).filter((one) => one.startsWith(prefix));
  expect(taken).toHaveLength(200);
  expect(ofKind('gift')).toHaveLength(100);
  expect(ofKind('chat').at(-1)).toBe('chat 1999');
  expect(ofKind('skipped')).toEqual([`skipped ${2_000 - 199}`]);
});

test('the oldest gift is skipped only when no chat waits', () => {
  expect(short(backlogOf(3, [gift(1), gift(2), gift(3), gift(4)]).take())).toEqual(['skipped 2', 'gift 3', 'gift 4']);
});

test('after a frame the next one begins without a number', () => {
  const backlog = backlogOf(2, [chat(1), chat(2), chat(3)]);
  expect(short(backlog.take())).toEqual(['skipped 2', 'chat 3']);
  backlog.push(chat(4));
  expect(short(backlog.take())).toEqual(['chat 4']);
});

test('removed messages leave the backlog; its number of skipped ones stays', () => {
  const backlog = backlogOf(3, [chat(1), chat(2), gift(3), chat(4)]);
  backlog.remove((entry) => entry.kind === 'message' && entry.body.type === 'chat');
  expect(short(backlog.entries)).toEqual(['skipped 2', 'gift 3']);
  backlog.removeUpTo(3);
  expect(short(backlog.entries)).toEqual(['skipped 2']);
});
