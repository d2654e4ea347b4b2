//! Sum of the conservation errors that all instances of the fleet report.

use std::sync::Arc;
use std::time::Duration;

use barrage_bus::Bus;
use prometheus::{IntGauge, Registry};

use crate::supervise::{Stage, Supervisor, Task, Wakeup};

/// Time between two sums of the instances' conservation errors.
const SUM_INTERVAL: Duration = Duration::from_secs(1);

/// Registers the gauge and starts the task that sets it once a second. Each increase of the sum is
/// logged with the ids of the instances.
pub(super) fn follow(
    bus: Arc<dyn Bus>,
    registry: &Registry,
    tasks: &mut Supervisor,
) -> Result<(), prometheus::Error> {
    let error = IntGauge::new(
        "barrage_fleet_conservation_error",
        "Messages that a stage of a live instance accepted and cannot account for. Any value but 0 is a \
         defect.",
    )?;
    registry.register(Box::new(error.clone()))?;
    tasks.spawn(Task::new("fleet ledger", Stage::Background), Wakeup::OwnTimer, async move {
        let mut tick = tokio::time::interval(SUM_INTERVAL);
        let mut logged = 0;
        loop {
            tick.tick().await;
            let instances = bus.instances();
            let affected = instances.iter().filter(|instance| instance.report.conservation_error > 0);
            let sum: u64 = affected.clone().map(|instance| instance.report.conservation_error).sum();
            error.set(i64::try_from(sum).unwrap_or(i64::MAX));
            if sum > logged {
                let ids: Vec<_> = affected.map(|instance| instance.report.id.as_str()).collect();
                tracing::error!(messages = sum, instances = ?ids, "instances cannot account for messages");
            }
            logged = sum;
        }
    });
    Ok(())
}
