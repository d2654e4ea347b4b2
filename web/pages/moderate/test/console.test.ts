// Decisions of the moderator console: what takes an action back, what a paused chat keeps, what a card shows.

import { type Written } from '@barrage/client';
import { readBody } from '@barrage/client/read';
import { describe, expect, test } from 'vitest';
import { undoOf, type Action, type Before } from '../action.ts';
import { Log, LINES_MAX, WAITING_MAX } from '../chat/log.ts';
import { lockOf, pieces } from '../panels/review_text.ts';
import { Rate } from '../rates.ts';
import { EN } from '../texts/en.ts';
import { ZH, type Key } from '../texts/zh.ts';
import { MESSAGES_MAX, USERS_MAX, UserBook } from '../user_book.ts';

const NOW = 1_700_000_000_000;
const BEFORE: Before = { nowMs: NOW, slowModeSecs: 5, delaySecs: 2, reactions: ['gg'], muteAll: false, shield: false, speak: { level_min: 3 }, pinned: 7, mutedUntilMs: 0, bannedUntilMs: 0 };

function undo(action: Action, before: Partial<Before> = {}, sequence?: number): Action[] {
  return undoOf(action, { ...BEFORE, ...before }, { id: 'a', duplicate: false, ...(sequence === undefined ? {} : { sequence }) });
}

function chat(user: string, text: string): Written {
  return readBody({ type: 'chat', id: text, user, name: user.toUpperCase(), text, at_ms: NOW }) as Written;
}

describe('undo', () => {
  test('each action is taken back by its contrary, with the value before', () => {
    expect(undo({ type: 'mute', user: 'u', secs: 60 })).toEqual([{ type: 'unmute', user: 'u' }]);
    expect(undo({ type: 'ban', user: 'u', secs: 60 })).toEqual([{ type: 'unban', user: 'u' }]);
    expect(undo({ type: 'kick', user: 'u' })).toEqual([{ type: 'unban', user: 'u' }]);
    expect(undo({ type: 'slow_mode', secs: 30 })).toEqual([{ type: 'slow_mode', secs: 5 }]);
    expect(undo({ type: 'moderation_delay', secs: 10 })).toEqual([{ type: 'moderation_delay', secs: 2 }]);
    expect(undo({ type: 'reactions', names: ['fire'] })).toEqual([{ type: 'reactions', names: ['gg'] }]);
    expect(undo({ type: 'super_chat_read', sequence: 4, on: true })).toEqual([{ type: 'super_chat_read', sequence: 4, on: false }]);
    expect(undo({ type: 'mute_all', on: true })).toEqual([{ type: 'mute_all', on: false }]);
    expect(undo({ type: 'shield', on: true })).toEqual([{ type: 'shield', on: false }]);
    expect(undo({ type: 'speak', rule: { level_min: 9 } })).toEqual([{ type: 'speak', rule: { level_min: 3 } }]);
    expect(undo({ type: 'speak', rule: { links_off: true } })).toEqual([{ type: 'speak', rule: { links_off: false } }]);
    expect(undo({ type: 'pin', sequence: 9 })).toEqual([{ type: 'pin', sequence: 7 }]);
    expect(undo({ type: 'pin', sequence: 9 }, { pinned: null })).toEqual([{ type: 'unpin' }]);
    expect(undo({ type: 'unpin' })).toEqual([{ type: 'pin', sequence: 7 }]);
    expect(undo({ type: 'announce', text: 'x' }, {}, 12)).toEqual([{ type: 'recall', sequence: 12 }]);
  });

  test('a shorter mute that was there before is set again', () => {
    expect(undo({ type: 'mute', user: 'u', secs: 3_600 }, { mutedUntilMs: NOW + 59_500 })).toEqual([{ type: 'unmute', user: 'u' }, { type: 'mute', user: 'u', secs: 60 }]);
    expect(undo({ type: 'unban', user: 'u' }, { bannedUntilMs: NOW + 1_000 })).toEqual([{ type: 'ban', user: 'u', secs: 1 }]);
    expect(undo({ type: 'unmute', user: 'u' })).toEqual([]);
    expect(undo({ type: 'remove_media', sequence: 9 })).toEqual([]);
  });

  test('what the server cannot take back has no undo', () => {
    for (const action of [{ type: 'recall', sequence: 1 }, { type: 'purge', user: 'u' }, { type: 'clear' }, { type: 'warn', user: 'u', text: 'x' }] as Action[]) expect(undo(action)).toEqual([]);
  });
});

describe('chat', () => {
  test('lines that arrive while it pauses are shown when the last reason is over', () => {
    const log = new Log();
    log.add(chat('a', '1'), 1);
    log.pause('hover');
    log.pause('selected');
    log.add(chat('a', '2'), 2);
    expect(log.lines.map(({ sequence }) => sequence)).toEqual([1]);
    expect(log.resume('hover')).toBe(0);
    expect(log.lines.length).toBe(1);
    log.resume('selected');
    expect(log.lines.map(({ sequence }) => sequence)).toEqual([1, 2]);
  });

  test('both lists are bounded, and what is skipped is counted', () => {
    const log = new Log();
    for (let sequence = 1; sequence <= LINES_MAX + 5; sequence += 1) log.add(chat('a', 'x'), sequence);
    expect(log.lines.length).toBe(LINES_MAX);
    log.pause('stopped');
    for (let sequence = 1; sequence <= WAITING_MAX + 3; sequence += 1) log.add(chat('a', 'x'), 1_000 + sequence);
    expect([log.waiting.length, log.skipped]).toEqual([WAITING_MAX, 3]);
    expect(log.resume('stopped')).toBe(3);
    expect([log.waiting.length, log.skipped, log.lines.length]).toEqual([0, 0, LINES_MAX]);
  });

  test('a recall, a purge and a clear mark shown and waiting lines up to their position', () => {
    const log = new Log();
    log.add(chat('a', '1'), 1);
    log.add(chat('b', '2'), 2);
    log.pause('hover');
    log.add(chat('a', '3'), 3);
    log.add(chat('a', '9'), 9);
    log.hide(2);
    log.purge('a', 5);
    expect([...log.lines, ...log.waiting].map(({ hidden }) => hidden)).toEqual([true, true, true, false]);
    expect(log.takeTouched().map(({ sequence }) => sequence)).toEqual([2, 1, 3]);
    log.clear(100);
    expect(log.takeTouched().map(({ sequence }) => sequence)).toEqual([9]);
  });

  test('the selection moves over messages alone, and stays at the ends', () => {
    const log = new Log();
    const keys = [1, 2, 3].map((sequence) => log.add(chat('a', 'x'), sequence).key);
    log.add(null, null);
    expect(log.neighbour(null, -1)).toBe(keys[2]);
    expect(log.neighbour(keys[2]!, -1)).toBe(keys[1]);
    expect(log.neighbour(keys[0]!, -1)).toBe(keys[0]);
    expect(log.neighbour(keys[2]!, 1)).toBe(keys[2]);
    expect(new Log().neighbour(null, 1)).toBeNull();
  });
});

describe('card', () => {
  test('messages of the history go to their place, and none comes twice', () => {
    const book = new UserBook();
    for (const sequence of [5, 9, 2, 5, 7]) book.add(chat('a', String(sequence)), sequence);
    expect(book.of('a').messages.map(({ sequence }) => sequence)).toEqual([2, 5, 7, 9]);
    for (let sequence = 10; sequence < 10 + MESSAGES_MAX; sequence += 1) book.add(chat('a', 'x'), sequence);
    expect(book.of('a').messages.length).toBe(MESSAGES_MAX);
    expect(book.of('a').messages[0]!.sequence).toBe(10);
  });

  test('it remembers a bounded number of users, and what moderators hid', () => {
    const book = new UserBook();
    book.add(chat('first', 'x'), 1);
    book.add(chat('a', 'x'), 2);
    book.purge('a', 3);
    expect(book.of('a').messages[0]!.hidden).toBe(true);
    for (let user = 0; user < USERS_MAX; user += 1) book.of(`u${user}`);
    expect(book.of('first').messages).toEqual([]);
  });
});

describe('review', () => {
  test('what the rule found stands out, wherever it is', () => {
    expect(pieces('the e n d i n g!', 'e n d i n g')).toEqual([{ text: 'the ', found: false }, { text: 'e n d i n g', found: true }, { text: '!', found: false }]);
    expect(pieces('a<b>a', 'a').map(({ found }) => found)).toEqual([true, false, true]);
    expect(pieces('x', '')).toEqual([{ text: 'x', found: false }]);
    expect(pieces('x', 'y')).toEqual([{ text: 'x', found: false }]);
  });

  test('a lock holds until its end, for its owner and against others', () => {
    const lock = { by: 'mia', until_ms: NOW + 1 };
    expect([lockOf(undefined, 'mia', NOW), lockOf(lock, 'mia', NOW), lockOf(lock, 'max', NOW), lockOf(lock, 'max', NOW + 1)]).toEqual(['free', 'own', 'other', 'free']);
  });
});

describe('rate', () => {
  test('counts leave when their second is over, also after a silence and a clock set back', () => {
    const rate = new Rate(10);
    rate.add(3, 1_000);
    rate.add(2, 5_400);
    expect(rate.sum(5_900)).toBe(5);
    expect(rate.sum(10_900)).toBe(5);
    expect(rate.sum(11_000)).toBe(2);
    rate.add(1, 2_000);
    expect(rate.sum(11_000)).toBe(3);
    expect(rate.sum(100_000)).toBe(0);
    expect(rate.perSecond(100_000)).toBe(0);
  });
});

describe('both languages', () => {
  test('have the same values in each text', () => {
    const values = (words: string) => [...words.matchAll(/\{(\w+)\}/g)].map(([, value]) => value).sort();
    for (const key of Object.keys(ZH) as Key[]) expect(values(EN[key]), key).toEqual(values(ZH[key]));
  });
});
