// What this client states about itself to gateways, once per connection. Nothing of it is about the user.

import { canInflate } from './inflate.ts';

/** Version of this client: that of the release. A test compares it with Cargo.toml. */
export const VERSION = '0.2.0';

export interface ClientFacts {
  name: string;
  version: string;
  platform: string;
  network: string;
  encodings: string[];
}

interface NetworkInformation extends EventTarget {
  readonly type?: string;
}

/** Returns what the browser knows about the network; null in browsers that tell nothing. */
function networkInformation(): NetworkInformation | null {
  return (globalThis.navigator as { connection?: NetworkInformation } | undefined)?.connection ?? null;
}

/** Type of the network, as the protocol names it; `unknown` where the browser does not tell. */
export function networkType(): string {
  const type = networkInformation()?.type ?? 'unknown';
  switch (type) {
    case 'wifi':
    case 'cellular':
    case 'ethernet':
      return type;
    case 'wimax':
      return 'wifi';
    case 'none':
    case 'unknown':
      return 'unknown';
    default:
      return 'other';
  }
}

/** Calls back when the type of the network changes. */
export function onNetworkChange(changed: () => void): void {
  let before = networkType();
  // The event also comes with every new estimate of the bandwidth.
  networkInformation()?.addEventListener('change', () => {
    if (networkType() === before) return;
    before = networkType();
    changed();
  });
}

export function clientFacts(): ClientFacts {
  return {
    name: 'barrage-web',
    version: VERSION,
    platform: 'web',
    network: networkType(),
    encodings: canInflate() ? ['json', 'deflate'] : ['json'],
  };
}
