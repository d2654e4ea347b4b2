// The uplinks of a room in the order to try: that of entry, corrected by what this client saw and measured.

import type { Entry } from '../entry/entry.ts';
import type { Host } from '../host.ts';
import { UplinkRace } from './race.ts';
import { UplinkOrder } from './uplink_order.ts';

export class Route {
  #order = new UplinkOrder();
  #race: UplinkRace;

  constructor(
    host: Host,
    private readonly entry: Entry,
  ) {
    this.#race = new UplinkRace(host);
  }

  /** Returns the base URLs to post to, in the order to try. */
  async uplinks(): Promise<string[]> {
    this.#order.name(await this.entry.uplinks());
    const uplinks = this.#order.order(performance.now());
    const plan = this.entry.racePlan;
    // Only those who post measure: a viewer that watches needs no uplink.
    if (plan) this.#race.start(uplinks, plan, (url, ms) => this.#order.raced(performance.now(), url, ms));
    return uplinks;
  }

  /** Notes an answer of an uplink, a refusal included. */
  answered(uplink: string): void {
    this.#order.answered(uplink);
  }

  /** Notes that an uplink could not take a request: it is tried last for a minute. */
  failed(uplink: string): void {
    this.#order.failed(performance.now(), uplink);
  }

  /** Makes the next request ask entry again, because an uplink did not answer. */
  forget(): void {
    this.entry.forgetUplinks();
  }
}
