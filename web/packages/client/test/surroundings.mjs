// Surroundings for tests: a host whose network, WebSocket and storage the test plays.

import { Host } from '../src/host.ts';

/** Returns a host of these entries. `fetch` answers requests; `stored` is the content of the storage. */
export function host({ entries = ['http://page.example'], fetch, WebSocket = null, stored = new Map() } = {}) {
  const storage = {
    getItem: (key) => stored.get(key) ?? null,
    setItem: (key, value) => stored.set(key, value),
    removeItem: (key) => stored.delete(key),
  };
  return new Host(entries, { fetch, WebSocket, storage });
}
