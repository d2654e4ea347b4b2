// Notifications of this browser: asks for the permission when the viewer wants them, and registers the device with the
// server. Nothing asks on its own: a browser that is asked too early is refused for good.

import { REGISTERED } from './registered.ts';

/** What the page can do about notifications here. */
export type PushState =
  /** The browser has no push, or the page no secure context. */
  | 'impossible'
  /** The user, or the browser, has refused; only the browser's settings change that. */
  | 'denied'
  | 'off'
  | 'on';

/** Requests to the server; `push/server.ts` makes them. */
export interface PushServer {
  /** Public key of the server for Web Push, in Base64 for URLs; null where the server sends no notifications. */
  key(): Promise<string | null>;
  register(device: string, subscription: PushSubscriptionJSON): Promise<boolean>;
  remove(device: string): Promise<boolean>;
}

/** Part of the browser that notifications need; tests play it. */
export interface PushBrowser {
  readonly permission: NotificationPermission;
  ask(): Promise<NotificationPermission>;
  /** Registers the service worker, and waits until it runs. */
  worker(): Promise<Pick<ServiceWorkerRegistration, 'pushManager'>>;
  recall(key: string): string | null;
  keep(key: string, value: string | null): void;
}

const DEVICE = 'barrage.device';
/** The server forgets a device that it has not heard of for long. */
const AGAIN_MS = 24 * 3_600_000;

export class Push {
  /** Called when notifications of this device were switched on or off. */
  changed: () => void = () => undefined;

  constructor(
    private readonly server: PushServer,
    private readonly browser: PushBrowser | null,
  ) {}

  /** Id of this browser among the devices of the user; made on the first call. */
  get device(): string {
    return this.browser ? this.#device(this.browser) : '';
  }

  get state(): PushState {
    if (!this.browser) return 'impossible';
    if (this.browser.permission === 'denied') return 'denied';
    return this.browser.permission === 'granted' && this.browser.recall(REGISTERED) !== null ? 'on' : 'off';
  }

  /** Switches notifications on. Must run in a click: browsers ask for the permission then alone. */
  async on(): Promise<PushState> {
    const { browser } = this;
    if (!browser) return 'impossible';
    // Before anything else is waited for, or the click counts no more.
    if (browser.permission !== 'granted' && (await browser.ask()) !== 'granted') return this.state;
    await this.#register(browser);
    this.changed();
    return this.state;
  }

  /** Switches notifications off in this browser. */
  async off(): Promise<PushState> {
    const { browser } = this;
    if (!browser) return 'impossible';
    browser.keep(REGISTERED, null);
    await this.server.remove(this.#device(browser));
    const subscription = await (await browser.worker()).pushManager.getSubscription();
    await subscription?.unsubscribe();
    return this.state;
  }

  /** Tells the server again that this device is there, once a day, or now where the browser has changed the subscription. */
  async refresh(isChanged = false): Promise<void> {
    const { browser } = this;
    if (!browser || this.state !== 'on') return;
    const atMs = Number(browser.recall(REGISTERED));
    if (isChanged || !(Date.now() - atMs < AGAIN_MS)) await this.#register(browser);
  }

  async #register(browser: PushBrowser): Promise<void> {
    const key = await this.server.key();
    if (key === null) return;
    const { pushManager } = await browser.worker();
    const subscription = await this.#subscription(pushManager, key);
    if (await this.server.register(this.#device(browser), subscription.toJSON())) browser.keep(REGISTERED, String(Date.now()));
  }

  /** Returns the subscription of this browser under the server's key. One under an earlier key is replaced. */
  async #subscription(manager: PushManager, key: string): Promise<PushSubscription> {
    const wanted = bytesOf(key);
    const known = await manager.getSubscription();
    const of = known?.options.applicationServerKey;
    if (known && of && isSame(new Uint8Array(of), wanted)) return known;
    await known?.unsubscribe();
    return manager.subscribe({ userVisibleOnly: true, applicationServerKey: wanted });
  }

  /** Id of this browser among the devices of the user. */
  #device(browser: PushBrowser): string {
    const kept = browser.recall(DEVICE);
    if (kept !== null && /^[a-z0-9-]{8,64}$/.test(kept)) return kept;
    const made = `web-${Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(36).padStart(2, '0')).join('')}`;
    browser.keep(DEVICE, made);
    return made;
  }
}

function bytesOf(base64url: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64url.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}
