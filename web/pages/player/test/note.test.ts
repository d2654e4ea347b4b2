// Notifications without a browser: what is read of them, and what a click opens.

import { expect, test } from 'vitest';
import { addressOf, canOpen, readNote, shownAs } from '../push/note.ts';

const note = { kind: 'letter', title: 'Ann', body: 'hello', collapse: 'c1', opens: 'd.00ff', badge: 3 } as const;

test('a note of the server is read, and anything else is none', () => {
  expect(readNote(note)).toEqual(note);
  expect(readNote({ kind: 'live', title: 'Bo' })).toEqual({ kind: 'live', title: 'Bo', body: '', collapse: '', opens: '', badge: 0 });
  for (const bad of [null, 7, 'x', [], {}, { ...note, kind: 'other' }, { ...note, title: 7 }, { ...note, opens: {} }]) expect(readNote(bad)).toBe(null);
  expect(readNote({ ...note, badge: -1 })?.badge).toBe(0);
  expect(readNote({ ...note, badge: 'x' })?.badge).toBe(0);
  const long = readNote({ ...note, title: '🎉'.repeat(500), opens: 'd.'.padEnd(999, '0') });
  expect([[...(long?.title ?? '')].length, long?.title.endsWith('🎉…'), long?.opens]).toEqual([120, true, '']);
});

test('notifications of a conversation replace each other, and those of others do not', () => {
  expect(shownAs(note).options.tag).toBe('c1');
  expect(shownAs({ ...note, collapse: '' }).options.tag).toBe('letter');
  expect(shownAs(note).options.renotify).toBe(true);
  expect(shownAs({ ...note, title: '' }).title).toBe('Barrage');
});

test('a click opens a conversation or a room of this page, and no other address', () => {
  expect(addressOf('d.00ff')).toBe('./?conversation=d.00ff');
  expect(addressOf('demo')).toBe('./?room=demo');
  for (const bad of ['https://evil.example', '//evil', 'a b', 'javascript:alert(1)', '../x', '', null, 7]) expect(addressOf(bad)).toBe('./');
  expect(canOpen('https://h/?room=demo', 'demo')).toBe(true);
  expect(canOpen('https://h/?room=demo', 'other')).toBe(false);
  expect(canOpen('https://h/', 'd.00ff')).toBe(true);
});
