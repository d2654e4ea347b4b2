//! The registry: the instances of every role and their latest reports.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use barrage_scaling::{EntryLoad, LoadReport};
use serde::{Deserialize, Serialize};

use crate::error::BusError;

/// Role of an instance; a process that runs several roles reports one instance for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Holds the viewers' connections and sends them the messages of their rooms.
    Gateway,
    /// Accepts messages of senders and publishes them to the bus.
    Uplink,
    /// Names gateways and uplinks to clients, and spreads the viewers over them.
    Entry,
}

impl Role {
    /// Returns the name in keys and metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Role::Gateway => "gateway",
            Role::Uplink => "uplink",
            Role::Entry => "entry",
        }
    }
}

/// Report that an instance makes of itself every second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceReport {
    /// Role of the instance; one process may report several.
    pub role: Role,
    /// Id of the instance; a report replaces the earlier one of the same role and id.
    pub id: String,
    /// Base URLs by which clients reach the instance (`http://host:port`); empty means the host and
    /// port on which the client asked entry.
    pub base_urls: Vec<String>,
    /// Base URL of the admin API, for commands that ask every instance; absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_url: Option<String>,
    /// Seconds since the process started, so that a restart shows.
    pub age_secs: u64,
    /// The instance drains: it admits no new viewers.
    pub draining: bool,
    /// Messages that a stage of this role cannot account for; 0 unless there is a defect.
    pub conservation_error: u64,
    /// Load of a gateway, which the bus does not read; all zero for other roles.
    pub load: LoadReport,
    /// Load of an entry and the factors that it received; none for other roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<EntryReport>,
}

/// Values that one entry shares with all others and with the autoscaler.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EntryReport {
    /// Viewers that wait at this entry, and those that it sends to gateways per second.
    #[serde(flatten)]
    pub load: EntryLoad,
    /// Factors of gateways' weights that this entry received, by gateway, for all entries to
    /// apply.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub factors: BTreeMap<String, Factor>,
}

/// Share of its weight that a gateway keeps until a time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Factor {
    /// Share of its weight that the gateway keeps, from 0 to 1.
    pub factor: f64,
    /// End of the factor in Unix milliseconds; the full weight applies after it.
    pub until_ms: u64,
}

/// Sums the load of all entries; `None` when no entry has reported.
#[must_use]
pub fn entry_load(instances: &[Registered]) -> Option<EntryLoad> {
    let loads = instances.iter().filter_map(|instance| instance.report.entry.as_ref());
    loads.map(|entry| entry.load).reduce(|sum, load| EntryLoad {
        waiting: sum.waiting + load.waiting,
        granted_per_s: sum.granted_per_s + load.granted_per_s,
    })
}

impl InstanceReport {
    /// Creates the report of an instance that has just started and has no load.
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
            load: LoadReport::default(),
            entry: None,
        }
    }
}

/// The latest report of an instance, and its age.
#[derive(Debug, Clone)]
pub struct Registered {
    /// Latest report of the instance, as it was made.
    pub report: InstanceReport,
    /// Time since the report was made; it grows while the registry's servers are silent.
    pub age: Duration,
}

/// Returns the instances of one role in the order of their ids.
#[must_use]
pub(crate) fn of_role(mut instances: Vec<Registered>, role: Role) -> Vec<Registered> {
    instances.retain(|instance| instance.report.role == role);
    instances.sort_by(|a, b| a.report.id.cmp(&b.report.id));
    instances
}

/// Receives reports and lists the instances of every role.
#[async_trait]
pub trait Registry: Send + Sync + 'static {
    /// Stores a report of an instance. An instance that is silent for 5 s is no longer listed.
    async fn report(&self, report: InstanceReport) -> Result<(), BusError>;

    /// Returns the instances that reported within the last 5 s.
    fn instances(&self) -> Vec<Registered>;

    /// Returns the time for which the registry's servers have been silent, once it is longer than
    /// 2 s; `None` while they answer. While they are silent no instance expires: the last known
    /// ones stay listed, and their age grows.
    fn servers_silent_for(&self) -> Option<Duration> {
        None
    }

    /// Returns the listed gateways in the order of their ids.
    fn gateways(&self) -> Vec<Registered> {
        of_role(self.instances(), Role::Gateway)
    }

    /// Returns the listed entries in the order of their ids.
    fn entries(&self) -> Vec<Registered> {
        of_role(self.instances(), Role::Entry)
    }

    /// Returns the listed uplinks in the order of their ids.
    fn uplinks(&self) -> Vec<Registered> {
        of_role(self.instances(), Role::Uplink)
    }
}
