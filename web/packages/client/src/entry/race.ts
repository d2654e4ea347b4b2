// Measures servers by their race resource, and reports the times to entry, which orders later answers by them.

import type { Host } from '../host.ts';
import type { EntryAnswer } from './answer.ts';

/** Gateways that race at the most, whatever an answer says. */
const WIDTH_MAX = 8;

/** How to measure a server, from the answer of entry. */
export interface RacePlan {
  timeout_ms: number;
  bytes: number;
}

/** A measured server: milliseconds until its whole answer was there, null for one that failed. */
type Time = number | null;

/**
 * Lets the first gateways of an answer race, as many as entry asks for. Resolves with the first whole answer:
 * that gateway then comes first, and the others keep their order. The report to entry is not waited for.
 */
export async function race(host: Host, answer: EntryAnswer): Promise<EntryAnswer> {
  const { downlinks, race: plan } = answer;
  const racers = downlinks.filter(({ transport }) => transport === 'ws').slice(0, Math.min(plan?.width ?? 1, WIDTH_MAX));
  if (!plan || racers.length < 2) return answer;
  const times = racers.map(({ url }) => time(host, new URL(host.url(url).href.replace(/^ws/, 'http')).origin, plan));
  void Promise.all(times).then((all) => {
    const results = racers.map(({ gateway }, index) => ({ gateway, ...elapsed(all[index]) }));
    return report(host, { results }, plan);
  }).catch(() => undefined);
  // All of them fail where the network passes no such request: the order of entry stays.
  const first = await Promise.any(times.map(async (one, index) => ((await one) === null ? Promise.reject(new Error('failed')) : index))).catch(() => 0);
  const winner = racers[first];
  return { ...answer, downlinks: winner ? [winner, ...downlinks.filter((one) => one !== winner)] : downlinks };
}

/** Returns the field of a time in a report. */
export function elapsed(ms: Time | undefined): { elapsed_ms?: number } {
  return ms === null || ms === undefined ? {} : { elapsed_ms: ms };
}

/** Reports times to the first entry. A report that is lost costs entry one of many. */
export async function report(host: Host, times: { results: object[]; uplinks?: object[] }, plan: RacePlan): Promise<void> {
  const request = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(times) };
  await host.ask(host.url('/v1/entry/race').href, request, plan.timeout_ms, () => undefined);
}

/** Returns the milliseconds of one race; null for a wrong or a late answer. */
export async function time(host: Host, base: string, plan: RacePlan): Promise<Time> {
  const started = performance.now();
  try {
    const body = await host.ask(`${base}/v1/race`, { cache: 'no-store' }, plan.timeout_ms, (answer) => (answer.ok ? answer.arrayBuffer() : null));
    return body?.byteLength === plan.bytes ? Math.round(performance.now() - started) : null;
  } catch {
    return null;
  }
}
