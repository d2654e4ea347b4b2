//! The custom resource `FleetAutoscaler`: its types, its definition, and the policy in it.

#[allow(unreachable_pub, reason = "the derived schema repeats the struct in private")]
#[allow(clippy::duplicated_attributes, reason = "columns of one type have one type")]
mod fleet_autoscaler;
mod foreign;
mod rivals;
mod schema;
mod settings;

pub use fleet_autoscaler::{
    CapacitySpec, EntrySpec, FleetAutoscaler, FleetAutoscalerSpec, FleetAutoscalerStatus, FleetMode,
    LoadsSpec, PrometheusSpec, Recommendation, TargetSpec,
};
pub(crate) use rivals::rival;
pub use schema::crd_yaml;
pub(crate) use settings::Settings;
