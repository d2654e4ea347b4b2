//! Traces of sampled messages, exported by OTLP.
//!
//! Spans are made explicitly, for sampled messages alone: a message that is not sampled costs one
//! comparison. [`SamplingConfig`] and [`Sampler`] decide and are pure. [`Tracer`] puts finished
//! spans into a bounded queue and never waits. [`Exporter`] sends the queue to a collector.

mod attribute;
mod config;
mod exporter;
mod metrics;
mod otlp;
mod sampler;
mod sampling;
mod span;
mod tracer;

pub use attribute::{Attribute, Value};
pub use config::TraceConfig;
pub use exporter::{ExportError, Exporter};
pub use metrics::TraceMetrics;
pub use sampler::{Candidate, Sampler, Verdict};
pub use sampling::{SamplingConfig, SamplingError};
pub use span::{Kind, Span};
pub use tracer::{Sampled, Tracer};
