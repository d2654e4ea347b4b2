//! What the cluster engine costs on a server: `measure nats://127.0.0.1:4222
//! [PARTITIONS]`. It writes under the prefix `measure`, which wants a server of its own.

#![allow(clippy::print_stdout, reason = "figures are its output")]

use std::sync::Arc;
use std::time::Instant;

use barrage_bus::{
    Bus, BusConfig, BusError, BusMetrics, Draft, Event, NatsBus, NatsConfig, RangeLimits, Topic,
};
use barrage_protocol::{Class, Sequence};

/// Publishes of each round of the rate.
const PUBLISHES: usize = 40_000;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn gift(room: &str, id: &str) -> Result<Draft, Failure> {
    Ok(Draft {
        room: room.parse()?,
        class: Class::Gift,
        sender: Some("sender".parse()?),
        id: Some(id.parse()?),
        fingerprint: 1,
        to: None,
        body: format!(r#"{{"id":"{id}","text":"{}"}}"#, "x".repeat(80)).into(),
    })
}

fn spread(mut took_us: Vec<u128>) -> String {
    took_us.sort_unstable();
    let at = |permille: usize| took_us[(took_us.len() - 1) * permille / 1_000];
    format!("p50 {} us, p99 {} us, most {} us", at(500), at(990), at(1_000))
}

async fn publish(bus: Arc<NatsBus>, name: String, count: usize) -> Result<Vec<u128>, Failure> {
    let mut took_us = Vec::with_capacity(count);
    for n in 0..count {
        let draft = gift(&name, &n.to_string())?;
        let began = Instant::now();
        bus.publish(vec![draft]).await?;
        took_us.push(began.elapsed().as_micros());
    }
    Ok(took_us)
}

async fn rate(bus: &Arc<NatsBus>, tasks: usize) -> Result<(), Failure> {
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
    println!("{tasks} in flight: {per_s}/s, acknowledged after {}", spread(took_us));
    Ok(())
}

async fn delivery(bus: &Arc<NatsBus>) -> Result<(), Failure> {
    let mut subscription = bus.subscribe(&Topic::Room("shown".parse()?)).await?;
    let mut took_us = Vec::new();
    for n in 0..4_000 {
        let began = Instant::now();
        bus.publish(vec![gift("shown", &n.to_string())?]).await?;
        while !matches!(subscription.next().await, Some(Event::Message(_)) | None) {}
        took_us.push(began.elapsed().as_micros());
    }
    println!("published and shown after {}", spread(took_us));
    Ok(())
}

async fn package(bus: &Arc<NatsBus>, count: usize, part: usize) -> Result<Sequence, Failure> {
    let drafts = (0..count).map(|n| gift("packed", &format!("{part}-{n}"))).collect::<Result<_, _>>()?;
    let began = Instant::now();
    let receipts = bus.publish(drafts).await?;
    println!("a package of {count}: {} us", began.elapsed().as_micros());
    Ok(receipts.first().map_or(Sequence::ZERO, |receipt| receipt.sequence))
}

async fn repairs(bus: &Arc<NatsBus>) -> Result<(), Failure> {
    let room = Topic::Room("packed".parse()?);
    let limits = RangeLimits { chat_max: 200, precious_max: 10_000, ..RangeLimits::default() };
    for (part, count) in [10, 100, 1_000].into_iter().enumerate() {
        let after = Sequence(package(bus, count, part).await?.0 - 1);
        let began = Instant::now();
        let range = bus.range(&room, after, None, limits).await?;
        println!("a repair of {} from the stream: {} us", range.messages.len(), began.elapsed().as_micros());
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
        repair.await?.map_err(|error: BusError| error)?;
    }
    println!("50 of 1000 at once: {} us", began.elapsed().as_micros());
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let url = std::env::args().nth(1).ok_or("usage: measure nats://HOST:PORT [PARTITIONS]")?;
    let partitions = std::env::args().nth(2).map_or(Ok(1), |count| count.parse())?;
    let config =
        NatsConfig { urls: vec![url.into()], prefix: "measure".into(), partitions, ..NatsConfig::default() };
    let metrics = BusMetrics::new(&prometheus::Registry::new())?;
    let bus = NatsBus::connect(config, BusConfig::default(), metrics).await?;
    for tasks in [1, 16, 256, 1_024] {
        rate(&bus, tasks).await?;
    }
    delivery(&bus).await?;
    repairs(&bus).await
}
