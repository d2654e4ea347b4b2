// Notifications of the page beside the browser: its requests, whom the user follows, and what the connection is told.

import { afterEach, expect, test, vi } from 'vitest';
import type { Call, Room } from '@barrage/client';
import { Follow } from '../letters/fans/follow.ts';
import { sayInFront } from '../push/in_front.ts';
import type { Push } from '../push/push.ts';
import { serverOf } from '../push/server.ts';

afterEach(() => vi.unstubAllGlobals());

/** A room whose server answers by method and path; other requests are refused. */
function roomWith(answers: Record<string, unknown>, code = 'not_found') {
  const asked: Call[] = [];
  const call = async (made: Call) => {
    asked.push(made);
    const answer = answers[`${made.method ?? 'GET'} ${made.path}`];
    return answer === undefined ? { kind: 'refused', code, message: '' } : { kind: 'answered', answer };
  };
  return { asked, answers, room: { call } as unknown as Pick<Room, 'call'> };
}

test('a server without the route has no key, and one that did not answer is asked again', async () => {
  expect(await serverOf(roomWith({ 'GET /v1/push/key': { services: ['web'], key: 'abc' } }).room).key()).toBe('abc');
  expect(await serverOf(roomWith({ 'GET /v1/push/key': { services: [] } }).room).key()).toBeNull();
  expect(await serverOf(roomWith({}).room).key()).toBeNull();
  await expect(serverOf(roomWith({}, 'network').room).key()).rejects.toThrow();
});

test('settings keep the pause that another device has set, and quiet hours have a zone', async () => {
  const stored = { letters: true, mentions: false, live: true, quiet: { from: '23:00', to: '06:30', zone: 'Asia/Shanghai' }, muted_until_ms: 99 };
  const { room, asked } = roomWith({ 'GET /v1/inbox/notifications': stored, 'PUT /v1/inbox/notifications': {} });
  const server = serverOf(room);
  const settings = await server.settings();
  expect(settings).toEqual({ letters: true, mentions: false, live: true, quiet: { from: '23:00', to: '06:30' } });
  expect(await server.save({ ...settings!, live: false })).toBe(true);
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  expect(asked.at(-1)?.body).toEqual({ letters: true, mentions: false, live: false, muted_until_ms: 99, quiet: { from: '23:00', to: '06:30', zone } });
  await server.save({ ...settings!, quiet: null });
  expect(asked.at(-1)?.body).toEqual({ letters: true, mentions: false, live: true, muted_until_ms: 99 });
});

test('a follow is offered where the server sends notifications, found on a later page, and taken back', async () => {
  const { room, asked, answers } = roomWith({
    'GET /v1/push/key': { services: ['web'], key: 'abc' },
    'GET /v1/follows?limit=500': { hosts: ['ann'], next_after: 'ann' },
    'GET /v1/follows?limit=500&after=ann': { hosts: ['mia'] },
    'DELETE /v1/follows/mia': {},
  });
  let changes = 0;
  const follow = new Follow(room, () => (changes += 1));
  await follow.of('mia');
  await follow.of('mia');
  expect([follow.follows, changes, asked.length]).toEqual([true, 1, 3]);
  expect([await follow.toggle(), follow.follows]).toEqual([null, false]);
  expect([(await follow.toggle())?.code, follow.follows], 'refused').toEqual(['not_found', false]);
  answers['GET /v1/push/key'] = { services: [] };
  await follow.of('zoe');
  expect([follow.follows, await follow.toggle()]).toEqual([null, null]);
});

test('a device says whether it is in front: on each connection, after the inbox, and when the page is hidden', () => {
  const document = Object.assign(new EventTarget(), { hidden: false });
  vi.stubGlobal('document', document);
  const listeners = new Map<string, (event: { type: string }) => void>();
  const sent: unknown[] = [];
  const room = {
    on: (type: string, listener: (event: { type: string }) => void) => listeners.set(type, listener),
    attach: (type: string, at: object) => sent.push({ type, ...at }),
  };
  const push = { state: 'off', device: 'web-1', changed: () => undefined };
  sayInFront(room as unknown as Room, push as unknown as Push);
  expect(sent, 'a device without notifications says nothing').toEqual([]);
  push.state = 'on';
  push.changed();
  const front = { type: 'attach', device: 'web-1', visible: true };
  expect(sent).toEqual([front]);
  const attached = (): void => listeners.get('mail')?.({ type: 'attached' });
  attached();
  expect(sent.length, 'the answer to its own frame').toBe(1);
  attached();
  expect(sent.length, 'the inbox has attached without a device').toBe(2);
  listeners.get('hello')?.({ type: 'hello' });
  expect(sent.length).toBe(3);
  document.hidden = true;
  document.dispatchEvent(new Event('visibilitychange'));
  expect(sent.at(-1)).toEqual({ ...front, visible: false });
});
