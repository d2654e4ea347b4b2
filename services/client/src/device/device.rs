//! The handle of a device, which a program holds.

use tokio::sync::{mpsc, watch};
use tracing::Instrument;

use super::change::DeviceEvent;
use super::config::DeviceConfig;
use super::session::{Numbered, Session};
use crate::config::SenderConfig;
use crate::http::HttpPool;
use crate::link::Tasks;
use crate::sender::{Letters, Sender};

/// A device of a user: connects, takes mail, asks for what it lacks, and reconnects by itself. It is in no room. WebSocket
/// only: where a network passes none, a program asks `GET /v1/inbox` with `wait_secs` by [`Letters::sync`]. Ends on
/// drop.
#[derive(Debug)]
pub struct Device {
    events: mpsc::Receiver<Numbered>,
    /// Number of the last change that the program has written.
    written: watch::Sender<u64>,
    /// Number of the last change that the program got.
    returned: u64,
    letters: Letters,
    _tasks: Tasks,
}

impl Device {
    /// Starts to connect, and trusts the system's authorities. Results and failures arrive as events.
    #[must_use]
    pub fn start(config: DeviceConfig) -> Self {
        Device::start_with(config, &HttpPool::new())
    }

    /// Starts to connect over HTTP connections that others share, and trusts the authorities of the pool.
    #[must_use]
    pub fn start_with(config: DeviceConfig, pool: &HttpPool) -> Self {
        let sender = SenderConfig {
            fallback: config.fallback.clone(),
            sources: config.sources.clone(),
            ..SenderConfig::through_entry(&config.entry_url, &config.token)
        };
        let sender = Sender::with_pool(sender, pool).expect("entry names the uplinks");
        let letters = sender.letters_without_room();
        let (events_in, events) = mpsc::channel(config.events_max.max(1));
        let (written, reports) = watch::channel(0);
        let mut tasks = Tasks::default();
        let session = Session::new(config, pool.clone(), letters.clone(), events_in, reports);
        tasks.spawn(session.run_until_closed().in_current_span());
        Device { events, written, returned: 0, letters, _tasks: tasks }
    }

    /// Returns the next event; `None` after [`DeviceEvent::Closed`]. The call says that the program has written the
    /// change before: the device presents its cursor to the server from now on. Cancel-safe.
    pub async fn next(&mut self) -> Option<DeviceEvent> {
        self.written.send_replace(self.returned);
        let Numbered { number, event } = self.events.recv().await?;
        self.returned = number;
        Some(event)
    }

    /// Returns the requests of the user: letters, reads, history, groups.
    #[must_use]
    pub const fn letters(&self) -> &Letters {
        &self.letters
    }
}
