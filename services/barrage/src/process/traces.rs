//! Traces of the process: the exporter's task, and the sampling that operators change.

use std::sync::Arc;

use anyhow::Context;
use barrage_bus::Bus;
use barrage_trace::{Exporter, TraceMetrics, Tracer};
use prometheus::Registry;

use super::context::ProcessContext;
use crate::config::Config;
use crate::roles::Roles;
use crate::supervise::{Stage, Supervisor, Task, TaskResult, Wakeup};

/// Builds the tracer that all roles of the process share; it is off without `trace.endpoint`.
pub(super) fn build(
    config: &Config,
    roles: Roles,
    registry: &Registry,
) -> anyhow::Result<(Tracer, Option<Exporter>)> {
    let instance = if roles.gateway { &config.gateway.id } else { &config.uplink.id };
    let system = if config.nats.is_some() { "nats" } else { "barrage" };
    let tls = config.client_tls()?;
    Tracer::build(&config.trace, &tls, instance, system, TraceMetrics::new(registry)?).context("trace")
}

/// Starts the tasks of the exporter and of the sampling, where traces are exported.
pub(super) fn start(context: &mut ProcessContext, tasks: &mut Supervisor) {
    let Some(exporter) = context.exporter.take() else { return };
    // The last of the tasks to stop: parts record spans while they drain.
    let shutdown = context.stop.token(Stage::Admin).clone();
    tasks.spawn(Task::new("trace exporter", Stage::Admin), Wakeup::Supervisor, async move {
        exporter.run(shutdown).await;
        Ok(())
    });
    let following = follow(&context.bus, context.tracer.clone());
    tasks.spawn(Task::new("trace sampling", Stage::Background), Wakeup::Supervisor, following);
}

/// Puts the shared sampling in force at once. The returned future does so again after each change,
/// until the bus is closed.
fn follow(bus: &Arc<dyn Bus>, tracer: Tracer) -> impl Future<Output = TaskResult> + use<> {
    let mut settings = bus.settings();
    let mut known = Arc::clone(&settings.borrow_and_update().sampling);
    apply(&tracer, &known);
    async move {
        while settings.changed().await.is_ok() {
            let now = Arc::clone(&settings.borrow_and_update().sampling);
            // The allocation is the same until the sampling changes; other settings change far more often.
            if !Arc::ptr_eq(&known, &now) {
                apply(&tracer, &now);
                known = now;
            }
        }
        Ok(())
    }
}

fn apply(tracer: &Tracer, overlay: &barrage_bus::SamplingOverlay) {
    if let Err(error) = tracer.set_overlay(overlay.values()) {
        tracing::warn!(%error, "the shared sampling of traces cannot be used by this version");
    }
}
