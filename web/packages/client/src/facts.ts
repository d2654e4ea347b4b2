// What this client states about itself to gateways, once per connection. Nothing of it is about the user.

import type { Host } from './host.ts';

/** Version of this client: that of the release. A test compares it with Cargo.toml. */
export const VERSION = '0.2.0';

export interface ClientFacts {
  name: string;
  version: string;
  platform: string;
  network: string;
  encodings: string[];
}

/** Type of the network, as the protocol names it; `unknown` where the platform does not tell. */
export function networkType(host: Host): string {
  const type = host.networkType ?? 'unknown';
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

export function clientFacts(host: Host): ClientFacts {
  return {
    name: 'barrage-web',
    version: VERSION,
    platform: host.platform,
    network: networkType(host),
    encodings: host.inflates ? ['json', 'deflate', 'lines'] : ['json'],
  };
}
