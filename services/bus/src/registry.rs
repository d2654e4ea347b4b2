//! The registry: the instances of every role and their latest reports.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use barrage_scaling::{EntryLoad, LoadReport};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::BusError;

/// Role of an instance; a process that runs several roles reports one instance for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Holds the viewers' connections and sends them the messages of their rooms.
    Gateway,
    /// Accepts messages of senders and publishes them to the bus.
    Uplink,
    /// Names gateways and uplinks to clients, and spreads the viewers over them.
    Entry,
    /// Starts, drains and removes gateways. A controller that has no access to the registry, as in
    /// Kubernetes, makes no report.
    Autoscaler,
}

impl Role {
    /// Returns the name in keys and metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Role::Gateway => "gateway",
            Role::Uplink => "uplink",
            Role::Entry => "entry",
            Role::Autoscaler => "autoscaler",
        }
    }
}

/// Report that an instance makes of itself every second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// Where the instance is; entry prefers instances near the client.
    #[serde(default, skip_serializing_if = "Place::is_unknown")]
    pub place: Place,
    /// Seconds since the process started, so that a restart shows.
    pub age_secs: u64,
    /// The instance drains: it admits no new viewers.
    pub draining: bool,
    /// Messages that a stage of this role cannot account for; 0 unless there is a defect.
    pub conservation_error: u64,
    /// Load of a gateway, which the bus does not read; all zero for other roles.
    pub load: LoadReport,
    /// Load of an uplink; none for other roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uplink: Option<UplinkLoad>,
    /// Load of an entry and the factors that it received; none for other roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<EntryReport>,
    /// Newest decision of an autoscaler; none for other roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Box<ScalingReport>>,
}

/// Region, carriers and addresses of a gateway or an uplink, as its configuration names them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// Region of the instance in the names of entry's region file; absent when the configuration
    /// names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Carriers whose networks the instance has a line of; empty for all carriers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub carriers: Vec<String>,
    /// IP addresses at which clients reach the hosts of the base URLs; empty when DNS alone has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpAddr>,
}

impl Place {
    /// Maximum addresses of an instance. A client tries them one after the other.
    pub const ADDRESSES_MAX: usize = 8;

    /// Returns the place with the addresses of a configuration, in which an IPv6 address may have brackets.
    /// A text that is no address is left out: the check of the configuration reports it.
    #[must_use]
    pub fn with_addresses(mut self, texts: &[String]) -> Self {
        let parse = |text: &String| Place::parse_address(text);
        self.addresses = texts.iter().filter_map(parse).take(Self::ADDRESSES_MAX).collect();
        self
    }

    /// Parses an address of a server: none of all addresses, of a group, or of another form.
    #[must_use]
    pub fn parse_address(text: &str) -> Option<IpAddr> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        bare.parse().ok().filter(|ip: &IpAddr| !ip.is_unspecified() && !ip.is_multicast())
    }

    /// Whether the configuration names no region, no carrier and no address.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        self.region.is_none() && self.carriers.is_empty() && self.addresses.is_empty()
    }
}

/// Load of an uplink in the last second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UplinkLoad {
    /// Processor time of the process, as a share of the processors that it may use: 0 to 1.
    pub busy: f64,
}

/// Newest decision of an autoscaler, with the numbers behind it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScalingReport {
    /// Gateways that exist or are asked for, draining ones included.
    pub replicas: u32,
    /// Gateways that should serve, after floor, ceiling and schedules.
    pub wanted: u32,
    /// Gateways that serve and admit joins.
    pub serving: u32,
    /// Gateways that are starting or asked for.
    pub arriving: u32,
    /// Number of gateways that drain.
    pub draining: u32,
    /// Gateways that should report and do not.
    pub silent: u32,
    /// Viewers at the time of the decision, those that wait included.
    pub viewers: f64,
    /// Viewers that are forecast for the time when a new gateway would be ready.
    pub forecast_viewers: f64,
    /// Whether panic mode holds, because demand outgrows the fleet.
    pub panic: bool,
    /// Labels of the constraints by which the result differs from the need.
    pub constraints: Vec<String>,
}

/// Values that one entry shares with all others and with the autoscaler.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
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
            place: Place::default(),
            age_secs: 0,
            draining: false,
            conservation_error: 0,
            load: LoadReport::default(),
            uplink: None,
            entry: None,
            scaling: None,
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
