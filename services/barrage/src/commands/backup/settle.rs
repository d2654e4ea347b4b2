//! Brings restored streams to a state in which processes may go on: the archive gets what it lacks, and no position
//! is given twice.

use std::sync::Arc;

use anyhow::{Context, bail};
use barrage_archiver::{ArchiverConfig, ArchiverMetrics};
use barrage_bus::nats::{SKIPPED, SavedStream, Snapshots};
use barrage_bus::{Bus, BusMetrics, NatsBus, NatsConfig};
use barrage_store::Store;
use barrage_trace::Tracer;
use prometheus::Registry;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::console::print_line;
use crate::process::open_store;

/// Longest time for the messages that the archive lacks, in milliseconds: an hour.
const ARCHIVE_MS_MAX: u64 = 3_600_000;

/// Archives the restored messages, and lets the log go on far behind the newest position.
pub(super) async fn settle(
    config: &Config,
    nats: &NatsConfig,
    snapshots: &Snapshots,
    streams: &[SavedStream],
) -> anyhow::Result<()> {
    let store = open_store(config).await.context("the store cannot be opened")?;
    let bus: Arc<dyn Bus> =
        NatsBus::connect(nats.clone(), config.bus.clone(), BusMetrics::new(&Registry::new())?).await?;
    let (mut taken, mut lacking, mut newest) = (Vec::new(), Vec::new(), 0);
    for partition in 0..bus.partitions() {
        let name = snapshots.log_stream(partition);
        let Some(stream) = streams.iter().find(|stream| stream.name == name) else { continue };
        let archived = store.archived_up_to(partition).await.context("the store cannot be read")?.0;
        newest = newest.max(stream.last_sequence).max(archived);
        if archived < stream.last_sequence { lacking.push(name) } else { taken.push(name) }
    }
    // The archiver refuses a stream that ends before the archive: one that is older than the store goes on first.
    let first = newest + SKIPPED;
    for name in &taken {
        snapshots.skip(name, first).await?;
    }
    let archived = if lacking.is_empty() { 0 } else { archive(bus, store).await? };
    for name in &lacking {
        snapshots.skip(name, first).await?;
    }
    print_line(format!(
        "{archived} messages that the archive lacked are in it; the log goes on at position {first}"
    ))
}

/// Copies what the streams have and the store lacks. Returns the number of messages.
async fn archive(bus: Arc<dyn Bus>, store: Arc<dyn Store>) -> anyhow::Result<u64> {
    let config = ArchiverConfig { drain_timeout_ms: ARCHIVE_MS_MAX, ..ArchiverConfig::default() };
    let metrics = ArchiverMetrics::new(&Registry::new())?;
    // A run that is to end at once archives what is there, and returns.
    let stop = CancellationToken::new();
    stop.cancel();
    let report = barrage_archiver::run(bus, store, config, metrics, Tracer::default(), stop).await?;
    if !report.drained {
        bail!("the store took the messages of the backup for longer than an hour; it may be down");
    }
    Ok(report.archived)
}
