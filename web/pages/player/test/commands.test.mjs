// Slash commands: every command, its role, and words that are wrong.

import { expect, test } from 'vitest';
import { commandsFor, plainText, readCommand, readTime } from '../moderate/commands.ts';

const SENDERS = [
  { user: 'u1', name: 'Ann', sequence: 41 },
  { user: 'u2', name: 'Bo Diddley', sequence: 42 },
  { user: 'u3', name: 'Ann Lee', sequence: null },
];
const find = (of) => SENDERS.find(({ user, name }) => user === of || name.toLowerCase() === of.toLowerCase()) ?? null;
const read = (text, role = 'moderator') => readCommand(text, role, find, (key) => `<${key}>`);
const action = (text, role) => read(text, role).action;

test('commands become the actions of the protocol', () => {
  expect(action('/delete @Ann')).toEqual({ type: 'recall', sequence: 41 });
  expect(action('/delete 7')).toEqual({ type: 'recall', sequence: 7 });
  expect(action('/timeout @Ann')).toEqual({ type: 'mute', user: 'u1', secs: 600 });
  expect(read('/timeout @Bo Diddley 2h too loud')).toMatchObject({ action: { user: 'u2', secs: 7_200 }, reason: 'too loud', name: 'Bo Diddley' });
  expect(action('/ban u9')).toEqual({ type: 'ban', user: 'u9', secs: 315_360_000 });
  expect(action('/BAN @ann lee 1d')).toEqual({ type: 'ban', user: 'u3', secs: 86_400 });
  expect(action('/unban Ann')).toEqual({ type: 'unban', user: 'u1' });
  expect(action('/slow')).toEqual({ type: 'slow_mode', secs: 10 });
  expect(action('/slow 2d')).toEqual({ type: 'slow_mode', secs: 3_600 });
  expect(action('/slowoff')).toEqual({ type: 'slow_mode', secs: 0 });
  expect(action('/clear')).toEqual({ type: 'clear' });
  expect(action('/pin @Bo Diddley')).toEqual({ type: 'pin', sequence: 42 });
  expect(action('/announce  five   minutes')).toEqual({ type: 'announce', text: 'five minutes' });
  expect(action('/warn @Ann no links')).toEqual({ type: 'warn', user: 'u1', text: 'no links' });
  expect(action('/reactions clap GG clap')).toEqual({ type: 'reactions', names: ['clap', 'gg'] });
  expect(action('/reactions none')).toEqual({ type: 'reactions', names: [] });
  expect(action('/reactions default')).toEqual({ type: 'reactions' });
  expect(action('/mod Ann', 'host')).toEqual({ type: 'role', user: 'u1', role: 'moderator' });
});

test('what is wrong is said', () => {
  expect(read('/nonsense')).toEqual({ kind: 'unknown', name: 'nonsense' });
  expect(read('/constructor')).toEqual({ kind: 'unknown', name: 'constructor' });
  expect(read('/__proto__ x')).toEqual({ kind: 'unknown', name: '__proto__' });
  expect(read('/timeout')).toEqual({ kind: 'usage', usage: '/timeout <usageUser> <usageTime> <usageReason>' });
  expect(read('/slow soon')).toMatchObject({ kind: 'usage' });
  expect(read('/warn @Ann')).toMatchObject({ kind: 'usage' });
  for (const bad of ['', ' 🔥', ' <b>', ` ${Array.from({ length: 13 }, (_, n) => `r${n}`).join(' ')}`]) expect(read(`/reactions${bad}`)).toMatchObject({ kind: 'usage' });
  expect(read('/delete @Ann Lee')).toEqual({ kind: 'no_message', user: 'Ann Lee' });
  expect(read('/clear', 'viewer')).toEqual({ kind: 'forbidden', name: 'clear', role: 'moderator' });
  expect(read('/mod Ann')).toEqual({ kind: 'forbidden', name: 'mod', role: 'host' });
  expect(read('/clear', null)).toMatchObject({ kind: 'forbidden' });
});

test('a viewer has the commands of a viewer alone', () => {
  expect(commandsFor('viewer', '').map(({ name }) => name)).toEqual(['block', 'unblock', 'report']);
  expect(commandsFor('moderator', 'un').map(({ name }) => name)).toEqual(['untimeout', 'unban', 'unmuteall', 'unpin', 'unblock']);
  expect(read('/report @Ann spam', 'viewer')).toEqual({ kind: 'report', user: 'u1', name: 'Ann', sequence: 41, reason: 'spam' });
});

test('a text with two slashes, or with none before a letter, is no command', () => {
  expect(plainText('//shrug')).toBe('/shrug');
  expect(plainText('/ 10')).toBe('/ 10');
  expect(plainText('hello /ban')).toBe('hello /ban');
  expect(plainText('/ban x')).toBeNull();
});

test('times have units and limits', () => {
  expect(['90', '10m', '2h', '1w', '0', 's', '1.5h', '-1', '999999999w'].map(readTime)).toEqual([90, 600, 7_200, 604_800, null, null, null, null, null]);
  expect(readTime(undefined)).toBeNull();
});
