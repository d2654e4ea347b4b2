//! The custom resource `FleetAutoscaler`.

use barrage_scaling::{Axis, Knee, Mode};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::foreign::{ConditionSchema, TimeSchema};
use super::schema;

/// One fleet of gateways and how it scales.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "barrage.dev",
    version = "v1alpha1",
    kind = "FleetAutoscaler",
    namespaced,
    shortname = "fas",
    status = "FleetAutoscalerStatus",
    derive = "PartialEq",
    doc = "Keeps as many gateways as the viewers need, and drains the others.",
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode"),
    printcolumn(name = "Current", type_ = "integer", json_path = ".status.replicas"),
    printcolumn(name = "Desired", type_ = "integer", json_path = ".status.recommendation.replicas"),
    printcolumn(name = "Draining", type_ = "integer", json_path = ".status.draining"),
    printcolumn(name = "Viewers", type_ = "integer", json_path = ".status.viewers"),
    printcolumn(name = "Limit", type_ = "string", json_path = ".status.recommendation.limitingAxis"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Panic",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Panic\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.minReplicas <= self.maxReplicas").message("minReplicas is at most maxReplicas"),
    validation = Rule::new("has(self.loads.entry) != has(self.loads.prometheus)")
        .message("loads is entry or prometheus, one of them"),
)]
pub struct FleetAutoscalerSpec {
    /// The gateways' Deployment, in the same namespace.
    pub target: TargetSpec,
    /// Permissions of the autoscaler. Default Active.
    #[serde(default)]
    pub mode: FleetMode,
    /// Fewest gateways. Default 2: one of them may fail.
    #[serde(default = "min_replicas")]
    #[schemars(range(min = 1, max = 10_000))]
    pub min_replicas: u32,
    /// Most gateways, draining ones included. Default 120.
    #[serde(default = "max_replicas")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_replicas: u32,
    /// One gateway's knee on each axis, from `barrage-loadtest capacity`. Default: a cautious
    /// guess, and the condition `CapacityUnverified`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<CapacitySpec>,
    /// Source of load reports.
    pub loads: LoadsSpec,
    /// Numbers of the policy that differ from the defaults, by the keys of the policy file in camel
    /// case.
    #[serde(default)]
    #[schemars(schema_with = "schema::policy")]
    pub policy: Map<String, Value>,
}

fn min_replicas() -> u32 {
    2
}

fn max_replicas() -> u32 {
    120
}

/// The Deployment that is scaled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetSpec {
    /// Name of the Deployment.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Port of the gateways' admin listener, which takes commands to drain. Default 8081.
    #[serde(default = "admin_port")]
    #[schemars(range(min = 1))]
    pub admin_port: u16,
}

fn admin_port() -> u16 {
    8081
}

/// Permissions of the autoscaler.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FleetMode {
    /// Decides, and carries decisions out.
    #[default]
    Active,
    /// Decides as in `Active`, and writes nothing.
    DryRun,
    /// Leaves the fleet as it is.
    Paused,
    /// Adds gateways and drains none.
    ScaleOutOnly,
}

impl FleetMode {
    /// Whether the controller may write.
    #[must_use]
    pub fn acts(self) -> bool {
        matches!(self, FleetMode::Active | FleetMode::ScaleOutOnly)
    }
}

impl From<FleetMode> for Mode {
    fn from(mode: FleetMode) -> Mode {
        match mode {
            FleetMode::Active => Mode::Active,
            FleetMode::DryRun => Mode::DryRun,
            FleetMode::Paused => Mode::Paused,
            FleetMode::ScaleOutOnly => Mode::ScaleOutOnly,
        }
    }
}

/// One gateway's knee. An absent axis was not measured and never limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapacitySpec {
    /// Open viewer connections that one gateway can hold.
    pub connections: f64,
    /// Joins per second that one gateway can accept.
    pub joins_per_s: f64,
    /// Messages delivered to viewers, per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliveries_per_s: Option<f64>,
    /// Bytes written, per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress_bytes_per_s: Option<f64>,
    /// Packets sent, per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets_per_s: Option<f64>,
    /// Processors in use; 1 is one core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_cores: Option<f64>,
    /// Resident memory of one gateway, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<f64>,
}

impl From<&CapacitySpec> for Knee {
    fn from(spec: &CapacitySpec) -> Knee {
        Knee {
            connections: spec.connections,
            joins_per_s: spec.joins_per_s,
            deliveries_per_s: spec.deliveries_per_s,
            egress_bytes_per_s: spec.egress_bytes_per_s,
            packets_per_s: spec.packets_per_s,
            cpu_cores: spec.cpu_cores,
            memory_bytes: spec.memory_bytes,
        }
    }
}

/// Source of load reports: exactly one of the two.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoadsSpec {
    /// An entry's admin listener, which has the fleet's own registry, a second old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<EntrySpec>,
    /// Prometheus, as old as its scrapes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<PrometheusSpec>,
}

/// Admin listener of entry, which the controller asks for waiting viewers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EntrySpec {
    /// Base URL of the admin listener, such as `http://entry-admin:8081`.
    #[schemars(regex(pattern = "^http://"))]
    pub url: String,
}

/// Prometheus and the queries to it. Each query returns one sample for each gateway, with the label
/// `pod`; `waiting` and `granted` return one sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PrometheusSpec {
    /// Base URL of the server, such as `http://prometheus:9090`.
    #[schemars(regex(pattern = "^http://"))]
    pub url: String,
    /// Seconds since each gateway's sample was scraped.
    pub age: String,
    /// Open connections of each gateway.
    pub connections: String,
    /// Joins per second. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joins: Option<String>,
    /// Deliveries per second. Default: never limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliveries: Option<String>,
    /// Bytes written per second. Default: never limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress: Option<String>,
    /// Packets per second. Default: never limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets: Option<String>,
    /// Processors in use. Default: never limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// Resident bytes. Default: never limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// 1 for each gateway that drains. Default: the controller never sees a drain begin, so it
    /// removes no gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draining: Option<String>,
    /// Viewers that wait at entry. Default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<String>,
    /// Viewers that entry sends to gateways per second. Default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted: Option<String>,
}

impl PrometheusSpec {
    /// Query of an axis; absent when the spec has none.
    #[must_use]
    pub fn query(&self, axis: Axis) -> Option<&str> {
        match axis {
            Axis::Connections => Some(&self.connections),
            Axis::Joins => self.joins.as_deref(),
            Axis::Deliveries => self.deliveries.as_deref(),
            Axis::Egress => self.egress.as_deref(),
            Axis::Packets => self.packets.as_deref(),
            Axis::Cpu => self.cpu.as_deref(),
            Axis::Memory => self.memory.as_deref(),
        }
    }
}

/// The last observation and decision. Figures of single gateways are not here; `explain` prints
/// them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetAutoscalerStatus {
    /// Generation of the spec that this status describes.
    #[serde(default)]
    pub observed_generation: i64,
    /// Gateways that are asked for.
    #[serde(default)]
    pub replicas: u32,
    /// Gateways that admit joins.
    #[serde(default)]
    pub serving: u32,
    /// Number of gateways that drain.
    #[serde(default)]
    pub draining: u32,
    /// Connected and waiting viewers.
    #[serde(default)]
    pub viewers: u64,
    /// Viewers among them that wait at entry.
    #[serde(default)]
    pub waiting: u64,
    /// The last decision of the autoscaler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommendation: Option<Recommendation>,
    /// Time at which this autoscaler last changed the replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TimeSchema>")]
    pub last_scale_time: Option<Time>,
    /// Ready, Conflict, MetricsAvailable, Panic, ScalingLimited, Unschedulable, CapacityUnverified.
    #[serde(default)]
    #[schemars(with = "Vec<ConditionSchema>")]
    pub conditions: Vec<Condition>,
}

/// A decision in short.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Recommendation {
    /// Gateways to ask for, draining ones included.
    pub replicas: u32,
    /// Gateways that should serve, by the need alone.
    pub raw: u32,
    /// Gateways that should serve, after floor, ceiling and schedules.
    pub wanted: u32,
    /// Axis that asks for the most gateways.
    pub limiting_axis: String,
    /// Viewers at the time when a gateway that is asked for now is ready.
    pub forecast_viewers: u64,
    /// Why the result differs from the need.
    pub constraints_applied: Vec<String>,
    /// Names of the gateways that drain.
    #[serde(default)]
    pub victims: Vec<String>,
    /// The decision in words and numbers.
    pub explanation: String,
}
