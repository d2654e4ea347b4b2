//! Sends a message through the public path, from entry to a viewer, and measures its time. No other
//! part measures the path as a viewer does.

mod metrics;

use std::time::Duration;

use barrage_client::{Event, SendError, Sender, SenderConfig, Viewer, ViewerConfig};
use barrage_protocol::RoomId;
use barrage_protocol::post::Post;
use tokio_util::sync::CancellationToken;

pub use metrics::ProbeMetrics;

/// Target, token and pace of a probe.
#[derive(Debug, Clone)]
pub struct ProbeConfig {
    /// Base URL of entry, which names gateways and uplinks.
    pub url: String,
    /// Room of the probe alone, so that no viewer sees the messages.
    pub room: RoomId,
    /// Token of a viewer of this room.
    pub token: String,
    /// Time from one message of the probe to the next.
    pub interval: Duration,
    /// Time after which a message that was not shown counts as lost.
    pub deadline: Duration,
}

/// Stage at which a probe failed, with the cause.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The viewer could not join the room.
    #[error("the room cannot be watched: {0}")]
    Watch(String),
    /// The uplink did not accept the message.
    #[error("the message was not taken")]
    Send(#[source] SendError),
    /// The uplink accepted the message, and the viewer did not receive it.
    #[error("the message was taken, and not shown within {0:?}")]
    Lost(Duration),
}

/// A running probe: one viewer and one sender.
#[derive(Debug)]
pub struct Probe {
    config: ProbeConfig,
    viewer: Viewer,
    sender: Sender,
    run_id: u64,
    sent: u64,
}

impl Probe {
    /// Connects through entry and waits for the hello.
    pub async fn connect(config: ProbeConfig) -> Result<Self, ProbeError> {
        let viewing = ViewerConfig {
            token: Some(config.token.clone()),
            ..ViewerConfig::new(&config.url, config.room.clone())
        };
        let mut viewer = Viewer::start(viewing);
        let hello = async {
            loop {
                match viewer.next().await {
                    Some(Event::Hello(..)) => return Ok(()),
                    Some(Event::Closed { message, .. }) => return Err(ProbeError::Watch(message)),
                    Some(_) => {}
                    None => return Err(ProbeError::Watch("the viewer has ended".into())),
                }
            }
        };
        let timeout = |_| ProbeError::Watch(format!("no hello within {:?}", config.deadline));
        tokio::time::timeout(config.deadline, hello).await.map_err(timeout)??;
        let sending = SenderConfig {
            deadline: config.deadline,
            ..SenderConfig::through_entry(&config.url, &config.token)
        };
        let sender = Sender::new(sending).map_err(ProbeError::Send)?;
        let now = barrage_clock::since_unix_epoch();
        let run_id = u64::try_from(now.as_nanos()).unwrap_or_default();
        Ok(Probe { config, viewer, sender, run_id, sent: 0 })
    }

    /// Sends one message, waits until it is shown, and returns the time between.
    pub async fn once(&mut self) -> Result<Duration, ProbeError> {
        let id = format!("probe-{:x}-{}", self.run_id, self.sent);
        self.sent += 1;
        let post = Post::Chat {
            id: id.parse().expect("made of allowed characters"),
            text: "probe".into(),
            style: barrage_protocol::post::Style::default(),
        };
        let started = barrage_clock::now();
        self.sender.send(&self.config.room, &post).await.map_err(ProbeError::Send)?;
        let deadline = self.config.deadline;
        let wanted = format!("\"id\":\"{id}\"");
        let shown = async {
            loop {
                match self.viewer.next().await {
                    Some(Event::Message(message)) if message.body.get().contains(&wanted) => return Ok(()),
                    Some(Event::Closed { message, .. }) => return Err(ProbeError::Watch(message)),
                    Some(_) => {}
                    None => return Err(ProbeError::Watch("the viewer has ended".into())),
                }
            }
        };
        tokio::time::timeout(deadline, shown).await.map_err(|_| ProbeError::Lost(deadline))??;
        Ok(started.elapsed())
    }
}

/// Probes until the shutdown, counting; connects anew after a failure to watch.
pub async fn run(config: ProbeConfig, metrics: ProbeMetrics, shutdown: CancellationToken) {
    let mut probe: Option<Probe> = None;
    let mut tick = tokio::time::interval(config.interval);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = shutdown.cancelled() => return,
        }
        if probe.is_none() {
            probe = match Probe::connect(config.clone()).await {
                Ok(probe) => Some(probe),
                Err(error) => {
                    tracing::warn!(%error, "the probe cannot watch");
                    metrics.failed.inc();
                    continue;
                }
            };
        }
        let Some(connected) = &mut probe else { continue };
        match connected.once().await {
            Ok(elapsed) => {
                metrics.succeeded.inc();
                metrics.seconds.observe(elapsed.as_secs_f64());
            }
            Err(error) => {
                tracing::warn!(%error, "a probe failed");
                metrics.failed.inc();
                if matches!(error, ProbeError::Watch(_)) {
                    probe = None;
                }
            }
        }
    }
}
