//! Cost of the cluster engine on one NATS server: publishes, deliveries and repairs.

use std::sync::Arc;
use std::time::Instant;

use barrage_bus::{BusConfig, BusMetrics, Draft, Event, Log, NatsBus, NatsConfig, RangeLimits, Topic};
use barrage_protocol::{Class, Sequence};
use clap::Args;
use serde_json::json;

/// Publishes of each round of the rate.
const PUBLISHES: usize = 40_000;

#[derive(Args)]
pub(crate) struct Options {
    /// URL of a NATS server that nothing else uses; the part writes under the prefix `measure`.
    #[arg(long)]
    nats: String,
    /// Partitions of the log.
    #[arg(long, default_value_t = 1)]
    partitions: u16,
}

impl Options {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        tokio::runtime::Runtime::new()?.block_on(self.measure())
    }

    async fn measure(self) -> anyhow::Result<()> {
        let config = NatsConfig {
            urls: vec![self.nats.into()],
            prefix: "measure".into(),
            partitions: self.partitions,
            ..NatsConfig::default()
        };
        let metrics = BusMetrics::new(&prometheus::Registry::new())?;
        let bus = NatsBus::connect(config, BusConfig::default(), metrics).await?;
        for tasks in [1, 16, 256, 1_024] {
            rate(&bus, tasks).await?;
        }
        delivery(&bus).await?;
        repairs(&bus).await
    }
}

fn gift(room: &str, id: &str) -> anyhow::Result<Draft> {
    Ok(Draft {
        room: room.parse()?,
        class: Class::Gift,
        sender: Some("sender".parse()?),
        id: Some(id.parse()?),
        fingerprint: 1,
        to: None,
        trace: None,
        body: format!(r#"{{"id":"{id}","text":"{}"}}"#, "x".repeat(80)).into(),
    })
}

/// Prints one measurement with the percentiles of its times.
fn print(measured: &str, mut took_us: Vec<u128>, per_s: Option<u128>) {
    took_us.sort_unstable();
    let at = |permille: usize| took_us[(took_us.len() - 1) * permille / 1_000] as u64;
    let (p50, p99, max) = (at(500), at(990), at(1_000));
    let per_s = per_s.map(|per_s| per_s as u64);
    println!(
        "{}",
        json!({ "measured": measured, "per_s": per_s, "p50_us": p50, "p99_us": p99, "max_us": max })
    );
}

async fn publish(bus: Arc<NatsBus>, name: String, count: usize) -> anyhow::Result<Vec<u128>> {
    let mut took_us = Vec::with_capacity(count);
    for n in 0..count {
        let draft = gift(&name, &n.to_string())?;
        let began = Instant::now();
        bus.publish(vec![draft]).await?;
        took_us.push(began.elapsed().as_micros());
    }
    Ok(took_us)
}

async fn rate(bus: &Arc<NatsBus>, tasks: usize) -> anyhow::Result<()> {
    let count = if tasks == 1 { PUBLISHES / 10 } else { PUBLISHES };
    let began = Instant::now();
    let running: Vec<_> = (0..tasks)
        .map(|n| tokio::spawn(publish(Arc::clone(bus), format!("rate-{tasks}-{n}"), count / tasks)))
        .collect();
    let mut took_us = Vec::with_capacity(count);
    for task in running {
        took_us.append(&mut task.await??);
    }
    let per_s = took_us.len() as u128 * 1_000_000 / began.elapsed().as_micros();
    print(&format!("acknowledgement, {tasks} in flight"), took_us, Some(per_s));
    Ok(())
}

async fn delivery(bus: &Arc<NatsBus>) -> anyhow::Result<()> {
    let mut subscription = bus.subscribe(&Topic::Room("shown".parse()?)).await?;
    let mut took_us = Vec::new();
    for n in 0..4_000 {
        let began = Instant::now();
        bus.publish(vec![gift("shown", &n.to_string())?]).await?;
        while !matches!(subscription.next().await, Some(Event::Message(_)) | None) {}
        took_us.push(began.elapsed().as_micros());
    }
    print("publish to delivery", took_us, None);
    Ok(())
}

async fn package(bus: &Arc<NatsBus>, count: usize, part: usize) -> anyhow::Result<Sequence> {
    let drafts = (0..count).map(|n| gift("packed", &format!("{part}-{n}"))).collect::<anyhow::Result<_>>()?;
    let began = Instant::now();
    let receipts = bus.publish(drafts).await?;
    print(&format!("package of {count}"), vec![began.elapsed().as_micros()], None);
    Ok(receipts.first().map_or(Sequence::ZERO, |receipt| receipt.sequence))
}

async fn repairs(bus: &Arc<NatsBus>) -> anyhow::Result<()> {
    let room = Topic::Room("packed".parse()?);
    let limits = RangeLimits { chat_max: 200, precious_max: 10_000, ..RangeLimits::default() };
    for (part, count) in [10, 100, 1_000].into_iter().enumerate() {
        let after = Sequence(package(bus, count, part).await?.0 - 1);
        let began = Instant::now();
        let range = bus.range(&room, after, None, limits).await?;
        print(&format!("repair of {}", range.messages.len()), vec![began.elapsed().as_micros()], None);
    }
    let newest = bus.last(&room).await?;
    let began = Instant::now();
    let mut running = Vec::new();
    for _ in 0..50 {
        let (bus, room) = (Arc::clone(bus), room.clone());
        let after = Sequence(newest.0 - 1_000);
        running.push(tokio::spawn(async move { bus.range(&room, after, None, limits).await }));
    }
    for repair in running {
        repair.await??;
    }
    print("50 repairs of 1000 at the same time", vec![began.elapsed().as_micros()], None);
    Ok(())
}
