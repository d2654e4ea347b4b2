// Measures the uplinks that entry named, and reports their times to entry, which orders later answers by
// them. No post waits for it.

import type { RacePlan } from '../entry/entry.ts';
import type { Host } from '../host.ts';

/** Time between two measurements: each fetches the race resource of every uplink. */
const PERIOD_MS = 600_000;
/** Uplinks that are measured: entry names three. */
const UPLINKS_MAX = 3;

export class UplinkRace {
  #after = 0;

  constructor(private readonly host: Host) {}

  /**
   * Measures in the background, at most once in ten minutes, and only where there is a choice. `arrived`
   * gets each time in milliseconds, or null for an uplink that did not arrive.
   */
  start(uplinks: readonly string[], plan: RacePlan, arrived: (url: string, elapsedMs: number | null) => void): void {
    const urls = uplinks.slice(0, UPLINKS_MAX);
    if (urls.length < 2 || performance.now() < this.#after) return;
    this.#after = performance.now() + PERIOD_MS;
    void race(this.host, urls, plan, arrived).catch(() => {
      // A report that is lost costs entry one of many.
    });
  }
}

async function race(host: Host, urls: string[], plan: RacePlan, arrived: (url: string, elapsedMs: number | null) => void): Promise<void> {
  const times = await Promise.all(urls.map((url) => time(host, url, plan)));
  urls.forEach((url, index) => arrived(url, times[index] ?? null));
  const uplinks = urls.map((url, index) => ({ url, ...(times[index] === null ? {} : { elapsed_ms: times[index] }) }));
  const report = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ results: [], uplinks }),
  };
  await host.ask(host.url('/v1/entry/race').href, report, plan.timeout_ms, () => undefined);
}

/** Returns the milliseconds of one race; `null` for a wrong or a late answer. */
async function time(host: Host, url: string, plan: RacePlan): Promise<number | null> {
  const started = performance.now();
  try {
    const body = await host.ask(`${url}/v1/race`, { cache: 'no-store' }, plan.timeout_ms, (answer) => (answer.ok ? answer.arrayBuffer() : null));
    return body?.byteLength === plan.bytes ? Math.round(performance.now() - started) : null;
  } catch {
    return null;
  }
}
