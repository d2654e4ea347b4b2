//! The fleet's ledger: the sum of what all instances report of theirs.

use std::sync::Arc;
use std::time::Duration;

use barrage_bus::Bus;
use prometheus::{IntGauge, Registry};

use crate::beat::Pace;
use crate::roster::{Stage, Task};
use crate::supervise::Supervisor;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Keeps the gauge for as long as the process runs.
pub(crate) fn follow(
    bus: Arc<dyn Bus>,
    registry: &Registry,
    tasks: &mut Supervisor,
) -> Result<(), prometheus::Error> {
    let error = IntGauge::new(
        "barrage_fleet_conservation_error",
        "Messages of which a stage of any live instance cannot say what became of them. Anything but 0 is \
         a defect.",
    )?;
    registry.register(Box::new(error.clone()))?;
    tasks.spawn(Task::new("fleet ledger", Stage::Background), Pace::Ticks, async move {
        let mut tick = tokio::time::interval(LOOK_EVERY);
        let mut told = 0;
        loop {
            tick.tick().await;
            let instances = bus.instances();
            let off = instances.iter().filter(|instance| instance.report.conservation_error > 0);
            let sum: u64 = off.clone().map(|instance| instance.report.conservation_error).sum();
            error.set(i64::try_from(sum).unwrap_or(i64::MAX));
            if sum > told {
                let who: Vec<_> = off.map(|instance| instance.report.id.as_str()).collect();
                tracing::error!(messages = sum, instances = ?who, "messages are unaccounted for");
            }
            told = sum;
        }
    });
    Ok(())
}
