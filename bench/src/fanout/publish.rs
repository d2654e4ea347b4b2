//! Publishes chat at an even pace directly to the bus, without the checks of an uplink.

use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{
    BusConfig, BusMetrics, Change, Draft, Log, NatsBus, NatsConfig, RoomSettings, SettingsStore,
};
use barrage_protocol::{Class, RoomId};
use clap::Args;
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior};

/// Publishes that wait for a receipt at the same time; above this number the pace falls.
const WAITING_MAX: u32 = 4_096;

#[derive(Args)]
pub(crate) struct Publish {
    /// URL of the NATS server.
    #[arg(long)]
    nats: String,
    /// Room to publish to; created if absent.
    #[arg(long)]
    room: RoomId,
    /// Messages per second. Without it, the part only creates the room.
    #[arg(long)]
    per_s: Option<f64>,
    /// Messages to publish after each line of standard input, then one line of output. Without it, the
    /// part publishes until its end.
    #[arg(long, requires = "per_s")]
    messages: Option<u32>,
    /// Bytes of the JSON of one message.
    #[arg(long, default_value_t = 100)]
    body_bytes: usize,
}

impl Publish {
    pub(crate) fn run(self) {
        let (lines_in, lines) = tokio::sync::mpsc::channel(1);
        super::on_line(move || lines_in.try_send(()).unwrap_or_default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(self.publish(lines));
    }

    async fn publish(self, mut lines: tokio::sync::mpsc::Receiver<()>) {
        let config = NatsConfig { urls: vec![self.nats.clone().into()], ..NatsConfig::default() };
        let metrics = BusMetrics::new(&prometheus::Registry::new()).unwrap();
        let bus = NatsBus::connect(config, BusConfig::default(), metrics).await.unwrap();
        bus.change(Change::Room(self.room.clone(), RoomSettings::default())).await.unwrap();
        println!("{{}}");
        let Some(per_s) = self.per_s else { return };
        let Some(messages) = self.messages else {
            return self.at_pace(&bus, per_s, u32::MAX).await;
        };
        while lines.recv().await.is_some() {
            self.at_pace(&bus, per_s, messages).await;
            println!("{}", json!({ "sent": messages }));
        }
    }

    /// Publishes messages at an even pace and waits for their receipts.
    async fn at_pace(&self, bus: &Arc<NatsBus>, per_s: f64, messages: u32) {
        let waiting = Arc::new(tokio::sync::Semaphore::new(WAITING_MAX as usize));
        let mut tick = tokio::time::interval(Duration::from_millis(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let (started, mut sent) = (Instant::now(), 0);
        while sent < messages {
            tick.tick().await;
            while sent < messages && f64::from(sent) < started.elapsed().as_secs_f64() * per_s {
                sent += 1;
                let permit = Arc::clone(&waiting).acquire_owned().await.unwrap();
                let (bus, draft) = (Arc::clone(bus), self.draft(sent));
                tokio::spawn(async move {
                    if let Err(error) = bus.publish(vec![draft]).await {
                        eprintln!("publish failed: {error}");
                    }
                    drop(permit);
                });
            }
        }
        drop(waiting.acquire_many(WAITING_MAX).await.unwrap());
    }

    fn draft(&self, n: u32) -> Draft {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let mut body = format!("{{\"type\":\"chat\",\"t\":{},\"text\":\"", now.as_micros());
        while body.len() + 2 < self.body_bytes {
            body.push('x');
        }
        body.push_str("\"}");
        Draft {
            room: self.room.clone(),
            class: Class::Chat,
            sender: Some("bench".parse().unwrap()),
            id: Some(format!("{}-{n}", now.as_micros()).parse().unwrap()),
            fingerprint: u64::from(n),
            to: None,
            trace: None,
            body: body.into(),
        }
    }
}
