//! Who is there: the instances of every role and how they are.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What an instance is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Holds the viewers' connections.
    Gateway,
    /// Takes messages.
    Uplink,
    /// Tells clients where to go.
    Entry,
}

impl Role {
    /// As it is written in keys and metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Role::Gateway => "gateway",
            Role::Uplink => "uplink",
            Role::Entry => "entry",
        }
    }
}

/// What an instance says of itself every second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceReport {
    /// What it is for.
    pub role: Role,
    /// Which one of its role.
    pub id: String,
    /// Base URLs that clients reach it by (`http://host:port`); empty means the
    /// host and port that the client asked entry on.
    pub base_urls: Vec<String>,
    /// Base URL of its admin API, for commands that ask every instance; absent where none is
    /// known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_url: Option<String>,
    /// Seconds since it started.
    pub age_secs: u64,
    /// It takes nobody new.
    pub draining: bool,
    /// Messages of which a stage of this role cannot say what became of them; 0 unless
    /// there is a defect.
    pub conservation_error: u64,
    /// How hard a gateway works; all zero for other roles.
    pub load: GatewayLoad,
    /// Who waits at an entry; none for other roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<EntryLoad>,
}

/// Newcomers at an entry.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EntryLoad {
    /// Those who hold a ticket for later or were told lately to come back.
    pub waiting: u64,
    /// Those sent to a gateway in the last second.
    pub granted_per_s: f64,
    /// Factors of gateways' weights that this entry was told, by gateway, for all entries
    /// to go by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub factors: BTreeMap<String, Factor>,
}

/// What share of its weight a gateway keeps, for a while.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Factor {
    /// 0 to 1.
    pub factor: f64,
    /// Unix milliseconds when it lapses.
    pub until_ms: u64,
}

/// The newcomers of all entries, without factors; none when none has reported.
#[must_use]
pub fn entry_load(instances: &[Registered]) -> Option<EntryLoad> {
    let loads = instances.iter().filter_map(|instance| instance.report.entry.as_ref());
    let newcomers = loads.map(|load| (load.waiting, load.granted_per_s));
    let sum = newcomers.reduce(|sum, load| (sum.0 + load.0, sum.1 + load.1));
    sum.map(|(waiting, granted_per_s)| EntryLoad { waiting, granted_per_s, ..EntryLoad::default() })
}

impl InstanceReport {
    /// Of one that has just started and has nothing to do.
    #[must_use]
    pub fn new(role: Role, id: impl Into<String>) -> Self {
        InstanceReport {
            role,
            id: id.into(),
            base_urls: Vec::new(),
            admin_url: None,
            age_secs: 0,
            draining: false,
            conservation_error: 0,
            load: GatewayLoad::default(),
            entry: None,
        }
    }
}

/// How hard a gateway works; rates are of the last second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GatewayLoad {
    /// Open viewer connections.
    pub connections: u64,
    /// Connections that it takes at most.
    pub connections_max: u64,
    /// Rooms that it is subscribed to.
    pub rooms: u64,
    /// Viewers that came in.
    pub joins_per_s: f64,
    /// Viewers that it lets in at most.
    pub joins_per_s_max: u32,
    /// Messages handed to viewers.
    pub deliveries_per_s: f64,
    /// Bytes taken by viewers' sockets.
    pub egress_bytes_per_s: f64,
    /// Writes to viewers' sockets.
    pub writes_per_s: f64,
    /// Bytes waiting in viewers' queues.
    pub backlog_bytes: u64,
    /// Processors in use, by the whole process.
    pub cpu_cores: f64,
    /// Resident bytes of the process.
    pub memory_bytes: u64,
    /// Longest time from a batch's making to its last write.
    pub lag_ms: f64,
    /// 99th percentile, over viewers, from acceptance of a batch's oldest message to
    /// its write, in the buckets of the gateway's histogram; 0 when nothing was sent.
    pub push_p99_ms: f64,
    /// Overload level, 0 to 4.
    pub overload_level: u8,
}

/// A report and its age.
#[derive(Debug, Clone)]
pub struct Registered {
    /// The newest report.
    pub report: InstanceReport,
    /// How old it is.
    pub age: Duration,
}

/// Those of one role, in the order of their ids.
#[must_use]
pub(crate) fn of_role(mut instances: Vec<Registered>, role: Role) -> Vec<Registered> {
    instances.retain(|instance| instance.report.role == role);
    instances.sort_by(|a, b| a.report.id.cmp(&b.report.id));
    instances
}
