//! The controller for Kubernetes. On each pass it reads every fleet of a namespace, lets
//! `barrage-scaling` decide, and carries the decision out.
//!
//! - [`resource`]: the custom resource `FleetAutoscaler`.
//! - [`loads`]: the sources of load reports.
//! - `observe`: from pods and reports to the core's observation.
//! - [`actuate`]: the only writes, each behind the leader's fence.
//! - [`reconcile`]: one pass, and the state between passes.
//! - [`lease`]: the leader election.
//!
//! The controller watches nothing and caches nothing: each decision is made on objects read in
//! the same pass.

pub mod actuate;
mod error;
mod http;
pub mod lease;
pub mod loads;
mod metrics;
mod observe;
pub mod reconcile;
pub mod resource;
mod run;

pub use error::{ControllerError, LoadsError};
pub use http::{HttpError, HttpSettings};
pub use metrics::ControllerMetrics;
pub use observe::{CORDON, DELETION_COST, PIN, VICTIM_COST};
pub use run::{RunConfig, run};
