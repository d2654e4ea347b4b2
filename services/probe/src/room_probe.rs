//! Sends messages to one room as its viewers do, for `barrage probe` and its count of messages.

use std::path::PathBuf;
use std::time::Duration;

use barrage_client::{
    ClientTls, Event, HttpPool, SendError, Sender, SenderConfig, SourceConfig, Viewer, ViewerConfig,
};
use barrage_protocol::RoomId;
use barrage_protocol::post::Post;

/// Target, token and pace of a probe.
#[derive(Debug, Clone)]
pub struct RoomProbeConfig {
    /// Base URL of entry, which names gateways and uplinks.
    pub url: String,
    /// Authorities that the probe trusts.
    pub tls: ClientTls,
    /// Room of the probe alone, so that no viewer sees the messages.
    pub room: RoomId,
    /// Token of a viewer of this room.
    pub token: String,
    /// File in which the probe keeps entry's last good answer, as clients do; none keeps nothing.
    pub keep_file: Option<PathBuf>,
    /// Time from one message of the probe to the next.
    pub interval: Duration,
    /// Time after which a message that was not shown counts as lost.
    pub deadline: Duration,
}

/// Stage at which a probe failed, with the cause.
#[derive(Debug, thiserror::Error)]
pub enum RoomProbeError {
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
pub struct RoomProbe {
    config: RoomProbeConfig,
    viewer: Viewer,
    sender: Sender,
    run_id: u64,
    sent: u64,
}

impl RoomProbe {
    /// Connects through entry and waits for the hello.
    pub async fn connect(config: RoomProbeConfig) -> Result<Self, RoomProbeError> {
        let sources = SourceConfig { keep_file: config.keep_file.clone(), ..SourceConfig::default() };
        let viewing = ViewerConfig {
            token: Some(config.token.clone()),
            sources: sources.clone(),
            traces: true,
            ..ViewerConfig::new(&config.url, config.room.clone())
        };
        let mut viewer = Viewer::start_with(viewing, &HttpPool::with_tls(&config.tls));
        let hello = async {
            loop {
                match viewer.next().await {
                    Some(Event::Hello(..)) => return Ok(()),
                    Some(Event::Closed { message, .. }) => return Err(RoomProbeError::Watch(message)),
                    Some(_) => {}
                    None => return Err(RoomProbeError::Watch("the viewer has ended".into())),
                }
            }
        };
        let timeout = |_| RoomProbeError::Watch(format!("no hello within {:?}", config.deadline));
        tokio::time::timeout(config.deadline, hello).await.map_err(timeout)??;
        let sending = SenderConfig {
            deadline: config.deadline,
            sources,
            ..SenderConfig::through_entry(&config.url, &config.token)
        };
        let sender =
            Sender::with_tls(sending, &config.tls).map_err(RoomProbeError::Send)?.with_viewer(&viewer);
        let now = barrage_clock::since_unix_epoch();
        let run_id = u64::try_from(now.as_nanos()).unwrap_or_default();
        Ok(RoomProbe { config, viewer, sender, run_id, sent: 0 })
    }

    /// Sends one message, waits until it is shown, and returns the time between.
    pub async fn once(&mut self) -> Result<Duration, RoomProbeError> {
        let id = format!("probe-{:x}-{}", self.run_id, self.sent);
        self.sent += 1;
        let post = Post::chat(id.parse().expect("made of allowed characters"), "probe");
        let started = barrage_clock::now();
        self.sender.send(&self.config.room, &post).await.map_err(RoomProbeError::Send)?;
        let deadline = self.config.deadline;
        let wanted = format!("\"id\":\"{id}\"");
        let shown = async {
            loop {
                match self.viewer.next().await {
                    Some(Event::Message(message)) if message.body.get().contains(&wanted) => return Ok(()),
                    Some(Event::Closed { message, .. }) => return Err(RoomProbeError::Watch(message)),
                    Some(_) => {}
                    None => return Err(RoomProbeError::Watch("the viewer has ended".into())),
                }
            }
        };
        tokio::time::timeout(deadline, shown).await.map_err(|_| RoomProbeError::Lost(deadline))??;
        Ok(started.elapsed())
    }
}
