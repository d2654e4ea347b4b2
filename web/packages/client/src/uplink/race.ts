// Measures the uplinks that entry named, and reports their times to entry, which orders later answers by
// them. No post waits for it.

import { elapsed, type RacePlan, report, time } from '../entry/race.ts';
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
    void measure(this.host, urls, plan, arrived).catch(() => {
      // A report that is lost costs entry one of many.
    });
  }
}

async function measure(host: Host, urls: string[], plan: RacePlan, arrived: (url: string, elapsedMs: number | null) => void): Promise<void> {
  const times = await Promise.all(urls.map((url) => time(host, url, plan)));
  urls.forEach((url, index) => arrived(url, times[index] ?? null));
  await report(host, { results: [], uplinks: urls.map((url, index) => ({ url, ...elapsed(times[index]) })) }, plan);
}
