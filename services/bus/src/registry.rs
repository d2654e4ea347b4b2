//! Who is there: the instances of every role and how they are.

use std::collections::BTreeMap;
use std::time::Duration;

use barrage_scaling::{EntryLoad, LoadReport};
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
    /// Load of a gateway, which the bus does not read; all zero for other roles.
    pub load: LoadReport,
    /// Newcomers at an entry and the factors that it received; none for other roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<EntryReport>,
}

/// What one entry shares with all others and with the autoscaler.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EntryReport {
    /// Newcomers at this entry.
    #[serde(flatten)]
    pub load: EntryLoad,
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

/// Sum of the newcomers at all entries; none when no entry has reported.
#[must_use]
pub fn entry_load(instances: &[Registered]) -> Option<EntryLoad> {
    let loads = instances.iter().filter_map(|instance| instance.report.entry.as_ref());
    loads.map(|entry| entry.load).reduce(|sum, load| EntryLoad {
        waiting: sum.waiting + load.waiting,
        granted_per_s: sum.granted_per_s + load.granted_per_s,
    })
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
            load: LoadReport::default(),
            entry: None,
        }
    }
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
