//! The controller for Kubernetes: it reads a fleet, lets the core decide, and carries
//! the decision out. A pass every interval; nothing is cached and nothing is watched, so
//! what is decided on is what is there.

mod act;
mod controller;
mod error;
mod fleet;
mod hands;
mod heard;
mod http;
mod journal;
mod lease;
mod loads;
mod metrics;
mod note;
mod orders;
mod outcome;
mod prometheus;
mod registry;
#[allow(unreachable_pub, reason = "the derived schema repeats the struct in private")]
#[allow(clippy::duplicated_attributes, reason = "columns of one type have one type")]
mod resource;
mod rivals;
mod run;
mod schema;
mod settings;
mod sight;
#[cfg(test)]
mod source_tests;

pub use controller::{Connect, Controller};
pub use error::{ControllerError, LoadsError};
pub use http::HttpError;
pub use lease::{Election, Fence, LEASE, RENEW_WITHIN, RETRY};
pub use loads::Loads;
pub use metrics::ControllerMetrics;
pub use orders::Orders;
pub use resource::{
    CapacitySpec, EntrySpec, FleetAutoscaler, FleetAutoscalerSpec, FleetAutoscalerStatus, FleetMode,
    LoadsSpec, PrometheusSpec, Recommendation, TargetSpec,
};
pub use run::{RunConfig, run};
pub use schema::crd_yaml;
pub use sight::{CORDON, DELETION_COST, PIN, VICTIM_COST};
