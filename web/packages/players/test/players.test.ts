import { expect, test, vi } from 'vitest';
import { type Body, type Room, type RoomBatch } from '@barrage/client';
import { backend, dplayer, drawn } from '../src/dplayer.ts';
import { danmakuOf } from '../src/danmaku.ts';
import { escapeMarkup, hexColor } from '../src/escape.ts';
import { fly } from '../src/fly.ts';
import { streamElements } from '../src/stream_elements.ts';

const chat = (more: object = {}): Body =>
  ({ type: 'chat', id: 'c-1', user: 'u1', name: 'Ann', at_ms: 5, text: 'hello', role: '', style: { mode: 'scroll', color: 0xffffff, size: 'normal' }, ...more }) as Body;
const signal = (name: string, more: object = {}): Body => ({ type: 'signal', signal: name, ...more }) as Body;

/** A room whose messages the test gives. */
function fakeRoom(user = 'me') {
  const listeners = new Set<(batch: RoomBatch) => void>();
  const on = (_: string, listener: (batch: RoomBatch) => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  const say = (...bodies: Body[]) => {
    const messages = bodies.map((body, at) => ({ sequence: at + 1, class: 'chat' as const, body }));
    for (const listener of listeners) listener({ messages, missed: 0 });
  };
  return { room: { on, user, send: vi.fn() } as unknown as Room & { send: ReturnType<typeof vi.fn> }, say, listeners };
}

test('escaped markup has no character that markup needs', () => {
  expect(escapeMarkup(`<img src=x onerror="a('b')">&\``)).toBe('&lt;img src=x onerror=&quot;a(&#39;b&#39;)&quot;&gt;&amp;&#96;');
  expect(escapeMarkup('弹幕 🎂 x')).toBe('弹幕 🎂 x');
});

test('a color is six digits whatever a message has', () => {
  expect([0, 0x00ff80, 0xffffff].map(hexColor)).toEqual(['#000000', '#00ff80', '#ffffff']);
  expect([-1, 0x1000000, 1.5, 'red;background:url(x)', null, Number.NaN].map(hexColor)).toEqual(Array(6).fill('#ffffff'));
});

test('DPlayer gets escaped texts, names and gifts', () => {
  const evil = '<img src=x onerror=pwned=1>';
  for (const body of [
    chat({ text: evil }),
    { type: 'gift', id: 'g', user: 'u', name: evil, at_ms: 1, gift: { name: evil, count: 1, price_minor: 0 } },
    { type: 'super_chat', id: 's', user: 'u', name: evil, at_ms: 1, text: evil, amount_minor: 1, currency: evil },
  ] as Body[]) {
    expect(drawn(body as never).text).not.toContain('<');
  }
  expect(drawn(chat({ style: { mode: 'top', color: 0xff0000, size: 'normal' } }) as never)).toEqual({ text: 'hello', color: '#ff0000', type: 'top' });
  expect(drawn(chat({ style: { mode: 'constructor', color: 'red', size: 'normal' } }) as never)).toMatchObject({ color: '#ffffff', type: 'right' });
});

test('what a viewer writes in DPlayer goes to the room, and a refusal is shown', async () => {
  const { room } = fakeRoom();
  const answers: string[] = [];
  const options = (data: object) => ({ data, success: () => answers.push('sent'), error: (message?: string) => answers.push(`refused: ${message}`) });
  room.send.mockResolvedValueOnce({ kind: 'broadcast', id: 'x', sequence: 1 });
  backend(room).send(options({ text: '<b>', color: 16711680, type: 1 }));
  expect(room.send).toHaveBeenCalledWith({ type: 'chat', text: '<b>', style: { mode: 'top', color: 0xff0000, size: 'normal' } });
  await vi.waitFor(() => expect(answers).toEqual(['sent']));
  room.send.mockResolvedValueOnce({ kind: 'refused', id: 'x', code: 'slow_mode', message: 'one message in 5 s' });
  backend(room).send(options({ text: 'x', color: '#00ff00', type: 0 }));
  await vi.waitFor(() => expect(answers).toEqual(['sent', 'refused: one message in 5 s']));
  const read = vi.fn();
  backend(room).read({ success: read });
  expect(read).toHaveBeenCalledWith([]);
});

test('what a viewer wrote is not drawn twice, whether its answer or its message comes first', async () => {
  vi.stubGlobal('HTMLElement', class {});
  const draw = vi.fn();
  let arrive = (_event: object): void => {};
  const on = (_type: string, listener: typeof arrive): (() => void) => {
    arrive = listener;
    return () => {};
  };
  const { room } = fakeRoom();
  Object.assign(room, { on, user: 'me' });
  dplayer({ danmaku: { draw }, template: { danmaku: {} as HTMLElement }, on: () => {} }, room);
  const send = (text: string): void => backend(room).send({ data: { text }, success: () => {}, error: () => {} });
  const come = (sequence: number, user: string, text: string): void => arrive({ messages: [{ sequence, body: chat({ id: '', user, text }) }] });
  room.send.mockResolvedValueOnce({ kind: 'broadcast', id: 'x', sequence: 7 });
  send('first');
  await vi.waitFor(() => expect(room.send).toHaveBeenCalledTimes(1));
  await Promise.resolve();
  come(7, 'me', 'first, as the server cleaned it');
  room.send.mockReturnValueOnce(new Promise(() => {}));
  send('second');
  come(8, 'me', 'second');
  expect(draw).not.toHaveBeenCalled();
  come(9, 'me', 'second');
  come(10, 'you', 'first');
  expect(draw).toHaveBeenCalledTimes(2);
  vi.unstubAllGlobals();
});

test('danmaku have lanes by sender and role', () => {
  const lane = (body: Body, own: string | null = null) => danmakuOf(body as never, 1, undefined, own).lane;
  expect(lane(chat())).toBe('other');
  expect(lane(chat(), 'u1')).toBe('own');
  expect(lane(chat({ role: 'moderator' }))).toBe('moderator');
  expect(lane({ type: 'gift', id: 'g', user: 'u', name: 'n', at_ms: 1, gift: { name: 'rose', count: 2, price_minor: 0 } })).toBe('gift');
});

test('a picture flies as a sign behind its text', () => {
  const media = { digest: 'd', kind: 'image', is_animated: false, variants: [] } as const;
  const text = (of: object) => danmakuOf(chat(of) as never, 1).text;
  expect([text({ text: 'look', media }), text({ text: '', media }), text({ text: 'look', media: null }), text({ text: 'look' })]).toEqual(['look 🖼', '🖼', 'look', 'look']);
});

test('recall, purge and clear reach the stage in the order of the room', () => {
  const { room, say, listeners } = fakeRoom();
  const calls: unknown[] = [];
  const stage = { fly: () => calls.push('fly'), recall: (sequence: number) => calls.push(['recall', sequence]), purge: (user: string | null) => calls.push(['purge', user]) };
  const stop = fly(room, stage);
  say(chat(), signal('recall', { sequence: 1 }), signal('purge', { user: 'u1' }), signal('clear'), signal('unknown'));
  expect(calls).toEqual(['fly', ['recall', 1], ['purge', 'u1'], ['purge', null]]);
  stop();
  expect(listeners.size).toBe(0);
});

test('a widget of StreamElements hears load, messages, deletion of one and of a user', () => {
  const { room, say } = fakeRoom();
  const target = new EventTarget();
  const heard: { type: string; detail: unknown }[] = [];
  for (const type of ['onWidgetLoad', 'onEventReceived']) target.addEventListener(type, (event) => heard.push({ type, detail: (event as CustomEvent).detail }));
  streamElements(room, { color: 'red' }, target);
  say(chat({ text: '<b>hi</b>', role: 'moderator', attrs: { badges: ['member/12'], color: 0xff0000 } }), signal('recall', { sequence: 1 }), signal('purge', { user: 'u1' }));
  expect(heard[0]).toMatchObject({ type: 'onWidgetLoad', detail: { fieldData: { color: 'red' } } });
  expect(heard[1]?.detail).toMatchObject({
    listener: 'message',
    event: { renderedText: '&lt;b&gt;hi&lt;/b&gt;', data: { nick: 'u1', userId: 'u-u1', displayName: 'Ann', displayColor: '#ff0000', msgId: 'm1', badges: [{ type: 'moderator' }, { type: 'member', version: '12' }] } },
  });
  expect(heard[2]?.detail).toEqual({ listener: 'delete-message', event: { msgId: 'm1' } });
  expect(heard[3]?.detail).toEqual({ listener: 'delete-messages', event: { userId: 'u-u1' } });
});

test('ids are names in CSS, and a clear of the room deletes what each writer wrote', () => {
  const { room, say } = fakeRoom();
  const target = new EventTarget();
  const heard: any[] = [];
  target.addEventListener('onEventReceived', (event) => heard.push((event as CustomEvent).detail));
  streamElements(room, {}, target);
  say(chat({ user: '7.a@b:c_' }), chat({ user: 'bo' }), signal('clear'));
  const ids = heard.filter(({ listener }) => listener === 'message').flatMap(({ event }) => [event.data.msgId, event.data.userId]);
  expect(ids).toEqual(['m1', 'u-7_2e_a_40_b_3a_c_5f_', 'm2', 'u-bo']);
  for (const id of ids) expect(id).toMatch(/^[A-Za-z][A-Za-z0-9_-]*$/);
  expect(heard.filter(({ listener }) => listener === 'delete-messages').map(({ event }) => event.userId)).toEqual(['u-7_2e_a_40_b_3a_c_5f_', 'u-bo']);
});
