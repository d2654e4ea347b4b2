// Notifications of a browser that the test plays: when it is asked, and what the server hears.

import { expect, test, vi } from 'vitest';
import { Push, type PushBrowser } from '../push/push.ts';

const KEY = 'BPk_-w';
const BYTES = [4, 249, 63, 251];

function world({ permission = 'default' as NotificationPermission, answers = 'granted' as NotificationPermission, key = KEY as string | null } = {}) {
  const stored = new Map<string, string>();
  const log: string[] = [];
  let now = permission;
  let subscribed: { options: { applicationServerKey: ArrayBuffer }; toJSON(): object; unsubscribe(): Promise<boolean> } | null = null;
  const pushManager = {
    getSubscription: async () => subscribed,
    subscribe: async ({ applicationServerKey }: { applicationServerKey: Uint8Array<ArrayBuffer> }) => {
      log.push(`subscribe ${[...applicationServerKey].join(' ')}`);
      subscribed = {
        options: { applicationServerKey: applicationServerKey.buffer },
        toJSON: () => ({ endpoint: 'https://push.example/1' }),
        unsubscribe: async () => (log.push('unsubscribe'), (subscribed = null), true),
      };
      return subscribed;
    },
  };
  const browser = {
    get permission() {
      return now;
    },
    ask: async () => (log.push('ask'), (now = answers)),
    worker: async () => ({ pushManager }),
    recall: (name: string) => stored.get(name) ?? null,
    keep: (name: string, value: string | null) => void (value === null ? stored.delete(name) : stored.set(name, value)),
  } as unknown as PushBrowser;
  const server = {
    key: async () => key,
    register: async (device: string, { endpoint }: PushSubscriptionJSON) => (log.push(`register ${device} ${endpoint}`), true),
    remove: async (device: string) => (log.push(`remove ${device}`), true),
  };
  const deny = (): void => {
    now = 'denied';
  };
  return { push: new Push(server, browser), log, stored, server, deny };
}

test('nothing is asked before the viewer wants it', async () => {
  const { push, log } = world();
  await push.refresh();
  await push.refresh(true);
  expect([push.state, log]).toEqual(['off', []]);
});

test('a viewer who wants notifications is asked once, and the device is registered', async () => {
  const { push, log, stored } = world();
  expect(await push.on()).toBe('on');
  const device = stored.get('barrage.device');
  expect(device).toMatch(/^web-[a-z0-9]{24}$/);
  expect(log).toEqual(['ask', `subscribe ${BYTES.join(' ')}`, `register ${device} https://push.example/1`]);
  await push.on();
  expect(log.filter((line) => line === 'ask').length).toBe(1);
  expect(log.filter((line) => line.startsWith('subscribe')).length).toBe(1);
});

test('a refusal is obeyed, and asks the server nothing', async () => {
  const { push, log } = world({ answers: 'denied' });
  expect([await push.on(), log]).toEqual(['denied', ['ask']]);
});

test('a server without push leaves notifications off', async () => {
  const { push } = world({ key: null });
  expect(await push.on()).toBe('off');
});

test('the server hears of the device again after a day, and at once when the browser has changed it', async () => {
  vi.useFakeTimers({ now: 1_700_000_000_000 });
  const { push, log } = world();
  await push.on();
  const heard = (): number => log.filter((line) => line.startsWith('register')).length;
  await push.refresh();
  expect(heard()).toBe(1);
  vi.setSystemTime(1_700_000_000_000 + 24 * 3_600_000);
  await push.refresh();
  expect(heard()).toBe(2);
  await push.refresh(true);
  expect(heard()).toBe(3);
  vi.useRealTimers();
});

test('a new key of the server replaces the subscription', async () => {
  const { push, log, server } = world();
  await push.on();
  server.key = async () => 'BAAA';
  await push.refresh(true);
  expect(log.slice(3, 5)).toEqual(['unsubscribe', 'subscribe 4 0 0']);
});

test('switched off, the server forgets the device; a withdrawn permission is seen', async () => {
  const { push, log, stored, deny } = world();
  await push.on();
  expect(await push.off()).toBe('off');
  expect(log.slice(-2)).toEqual([`remove ${stored.get('barrage.device')}`, 'unsubscribe']);
  await push.on();
  deny();
  expect(push.state).toBe('denied');
  expect(new Push({} as never, null).state).toBe('impossible');
});
