// The service worker of the player page: it shows notifications, and opens what they are about. It answers no requests of
// pages, so that a page never depends on it.

import { addressOf, canOpen, readNote, shownAs, type Opening } from './note.ts';

/** Parts of the scope of a service worker that this one uses; TypeScript's own types of it exclude those of pages. */
interface Scope {
  readonly registration: ServiceWorkerRegistration;
  readonly location: Location;
  readonly clients: {
    claim(): Promise<void>;
    matchAll(options: { type: 'window'; includeUncontrolled: boolean }): Promise<readonly Tab[]>;
    openWindow(url: string): Promise<Tab | null>;
  };
  readonly navigator: { setAppBadge?(count: number): Promise<void>; clearAppBadge?(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(type: string, listener: (event: never) => void): void;
}

interface Tab {
  readonly url: string;
  readonly focused: boolean;
  focus(): Promise<Tab>;
  postMessage(message: Opening | { type: 'barrage.subscribe' }): void;
}

interface Extendable {
  waitUntil(work: Promise<unknown>): void;
}

const scope = globalThis as unknown as Scope;

scope.addEventListener('install', (event: Extendable) => event.waitUntil(scope.skipWaiting()));
scope.addEventListener('activate', (event: Extendable) => event.waitUntil(scope.clients.claim()));

scope.addEventListener('push', (event: Extendable & { data: { json(): unknown } | null }) => {
  event.waitUntil(show(event.data));
});

scope.addEventListener('notificationclick', (event: Extendable & { notification: Notification }) => {
  event.notification.close();
  event.waitUntil(open((event.notification.data as { opens?: unknown } | null)?.opens));
});

// The browser has another address for this device now: a page registers it.
scope.addEventListener('pushsubscriptionchange', (event: Extendable) => {
  event.waitUntil(tabs().then((all) => all.forEach((tab) => tab.postMessage({ type: 'barrage.subscribe' }))));
});

async function show(data: { json(): unknown } | null): Promise<void> {
  const note = readNote(parsed(data));
  // Browsers show a notification of their own for a push without one.
  const { title, options } = shownAs(note ?? { kind: 'letter', title: '', body: '', collapse: '', opens: '', badge: 0 });
  await Promise.all([scope.registration.showNotification(title, options), note ? badge(note.badge) : undefined]);
}

/** Goes to a page that can show it, or opens one. */
async function open(opens: unknown): Promise<void> {
  const here = new URL('./', scope.location.href).href;
  const players = (await tabs()).filter(({ url }) => url.split(/[?#]/)[0] === here && canOpen(url, opens));
  const tab = players.find(({ focused }) => focused) ?? players[0];
  if (!tab) return void (await scope.clients.openWindow(new URL(addressOf(opens), here).href));
  await tab.focus();
  tab.postMessage({ type: 'barrage.open', opens: String(opens ?? '') });
}

function tabs(): Promise<readonly Tab[]> {
  return scope.clients.matchAll({ type: 'window', includeUncontrolled: true });
}

/** Shows the number on the icon of the installed page, where the system can. */
async function badge(count: number): Promise<void> {
  const { navigator } = scope;
  await (count > 0 ? navigator.setAppBadge?.(count) : navigator.clearAppBadge?.())?.catch(() => undefined);
}

function parsed(data: { json(): unknown } | null): unknown {
  try {
    return data?.json() ?? null;
  } catch {
    return null;
  }
}
