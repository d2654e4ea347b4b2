//! Entry's settings.

use std::path::PathBuf;

use barrage_scaling::WeightsConfig;
use serde::{Deserialize, Serialize};

/// `[entry]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EntryConfig {
    /// Name in the registry. Default `entry-1`.
    pub id: String,
    /// What one gateway carries, as `barrage-loadtest capacity` writes it and the autoscaler
    /// reads it; a gateway's own limits bound it. Default: none, which means those limits
    /// alone.
    pub capacity_file: Option<PathBuf>,
    /// Weights and grants: docs/guide/autoscale.md has the keys.
    pub weights: WeightsConfig,
    /// Gateways named in one answer. Default 3: enough to race, and to fall back on.
    pub gateways_max: usize,
    /// How long an answer may be used. Default 60000.
    pub ttl_ms: u64,
    /// WebSocket endpoints that a client races at most. Default 3. Fewer where the gateways
    /// named are unlike each other, none with a ticket.
    pub race_width: u32,
    /// A racer that takes longer is given up. Default 1500.
    pub race_timeout_ms: u64,
    /// Size of the race resource. Default 16384: some round trips of a young
    /// connection, so that a lossy path loses the race.
    pub race_bytes: usize,
    /// First ceiling of a client's full-jitter backoff. Default 1000.
    pub backoff_base_ms: u64,
    /// Largest ceiling. Default 30000.
    pub backoff_max_ms: u64,
    /// Questions a second from one address (an IPv6 /64), with bursts of three seconds'
    /// worth. Default 200: an office comes back from a power cut; a script is told when
    /// to come back.
    pub address_per_s: u32,
    /// Grants that one IPv4 address or IPv6 /64 may have outstanding: those that have not lapsed.
    /// Default 100: as many viewers of one household network or office as ask within seconds;
    /// four addresses that never connect take no more than 400 places. Each entry counts for
    /// itself. Loopback has no bound.
    pub address_grants_max: u32,
    /// The same for an IPv6 /48, which holds 65,536 networks of /64. Default 400.
    pub site_grants_max: u32,
    /// Seconds until a grant without a ticket lapses; one with a ticket lapses with the ticket.
    /// Default 5: longer than a client takes to join.
    pub grant_secs: u64,
    /// Longest wait that a ticket names; beyond, newcomers are told to come back later.
    /// Default 60: who waits longer has left.
    pub ticket_wait_secs_max: u64,
    /// How long after its moment a ticket is good. Default 30: a slow phone, a few
    /// endpoints to try.
    pub ticket_life_secs: u64,
    /// Uplinks named in one answer. Default 3.
    pub uplinks_max: usize,
    /// Base URLs of the uplinks. Default: none, which means those in the registry.
    pub uplink_urls: Vec<String>,
    /// Table from address to region and carrier: lines `network,region,carrier`, or
    /// a MaxMind-format file (`.mmdb`). Default: none.
    pub region_file: Option<PathBuf>,
}

impl Default for EntryConfig {
    fn default() -> Self {
        EntryConfig {
            id: "entry-1".into(),
            capacity_file: None,
            weights: WeightsConfig::default(),
            gateways_max: 3,
            ttl_ms: 60_000,
            race_width: 3,
            race_timeout_ms: 1_500,
            race_bytes: 16 * 1024,
            backoff_base_ms: 1_000,
            backoff_max_ms: 30_000,
            address_per_s: 200,
            address_grants_max: 100,
            site_grants_max: 400,
            grant_secs: 5,
            ticket_wait_secs_max: 60,
            ticket_life_secs: 30,
            uplinks_max: 3,
            uplink_urls: Vec::new(),
            region_file: None,
        }
    }
}
