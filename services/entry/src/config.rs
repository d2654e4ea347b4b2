//! Settings of the entry scheduler.

use std::path::PathBuf;

use barrage_scaling::WeightsConfig;

use crate::addresses::HostAddresses;
use crate::media::MediaHostsConfig;
use crate::place::PlaceConfig;

barrage_part::part! {
    /// The entry scheduler, which names gateways and uplinks to clients.
    pub struct EntryConfig {
        /// Name in the registry.
        id: String = "entry-1".into();
        /// Capacity of one gateway, as `barrage-loadtest capacity` writes it and the autoscaler reads
        /// it; the limits of a gateway bound it. Without it, those limits alone count.
        capacity_file: Option<PathBuf> = None;
        /// Weights of gateways, and grants.
        weights: WeightsConfig = WeightsConfig::default();
        /// Gateways in one answer: enough for a race and for fallbacks.
        gateways_max: usize = 3, between(1, 100);
        /// Time for which a client may use an answer, in milliseconds.
        ttl_ms: u64 = 60_000, between(1, 3_600_000);
        /// WebSocket endpoints that a client races. Fewer when the named gateways have unequal load, and
        /// none with a ticket.
        race_width: u32 = 3, between(1, 100);
        /// Longest race of one endpoint, in milliseconds; then the client gives the endpoint up.
        race_timeout_ms: u64 = 1_500, between(1, 60_000);
        /// Size of the race resource, in bytes: several round trips of a young connection, so that a
        /// lossy path loses the race.
        race_bytes: usize = 16 * 1024, between(1, 1 << 20);
        /// First ceiling of a client's backoff with full jitter, in milliseconds.
        backoff_base_ms: u64 = 1_000, between(1, 600_000);
        /// Largest ceiling of a client's backoff, in milliseconds; at least `backoff_base_ms`.
        backoff_max_ms: u64 = 30_000, between(1, 3_600_000);
        /// Requests a second from one address (an IPv6 /64), with bursts of three seconds' worth. An
        /// office can come back after a power cut; a script is refused with a retry time.
        address_per_s: u32 = 200, between(1, 100_000_000);
        /// Outstanding grants of one IPv4 address or IPv6 /64: as many viewers of one office as ask
        /// within seconds. Each entry counts for itself. Loopback has no bound.
        address_grants_max: u32 = 100, between(1, 100_000_000);
        /// Outstanding grants of one IPv6 /48, which holds 65,536 networks of /64.
        site_grants_max: u32 = 400, between(1, 100_000_000);
        /// Seconds until a grant without a ticket lapses: longer than a join takes. A grant with a
        /// ticket lapses with the ticket.
        grant_secs: u64 = 5, between(1, 3_600);
        /// Longest wait that a ticket names, in seconds. Beyond, new viewers are refused with a retry
        /// time.
        ticket_wait_secs_max: u64 = 60, between(1, 3_600);
        /// Time for which a ticket is valid after its slot, in seconds: a slow phone can try several
        /// endpoints.
        ticket_life_secs: u64 = 30, between(1, 3_600);
        /// Uplinks in one answer.
        uplinks_max: usize = 3, between(1, 100);
        /// Base URLs of the uplinks. Without any, the uplinks in the registry.
        uplink_urls: Vec<String> = Vec::new();
        /// IP addresses of host names, at most 64 hosts of 8 addresses, as `host` and `ips`. Answers
        /// name them beside the URLs, so that a client whose DNS does not answer or lies still connects.
        /// Without any, clients ask DNS.
        addresses: Vec<HostAddresses> = Vec::new();
        /// Base URLs of all entries, at most 8. Clients keep them, and ask the next one when an entry
        /// does not answer.
        urls: Vec<String> = Vec::new();
        /// Table from address to region and carrier: lines `network,region,carrier`, or a file in
        /// MaxMind's format (`.mmdb`).
        region_file: Option<PathBuf> = None;
        /// Costs by which entry prefers endpoints of the client's region and carrier.
        place: PlaceConfig = PlaceConfig::default();
        /// Media hosts in the answers.
        media: MediaHostsConfig = MediaHostsConfig::default();
    }
}
