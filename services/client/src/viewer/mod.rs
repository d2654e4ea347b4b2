//! A viewer of one room, which reconnects and repairs gaps by itself.

mod follow;
mod session;

use tokio::sync::mpsc;
use tracing::Instrument;

use self::session::Session;
use crate::config::ViewerConfig;
use crate::event::Event;
use crate::http::HttpPool;
use crate::link::Tasks;

/// A viewer of a room: connects, resumes, repairs and reconnects by itself. Leaves the room on drop.
#[derive(Debug)]
pub struct Viewer {
    events: mpsc::Receiver<Event>,
    _tasks: Tasks,
}

impl Viewer {
    /// Starts to connect. Results and failures arrive as events.
    #[must_use]
    pub fn start(config: ViewerConfig) -> Self {
        Viewer::start_with(config, &HttpPool::new())
    }

    /// Starts to connect over HTTP connections that several viewers share.
    #[must_use]
    pub fn start_with(config: ViewerConfig, http: &HttpPool) -> Self {
        let (sender, events) = mpsc::channel(config.events_max);
        let mut tasks = Tasks::default();
        tasks.spawn(Session::new(config, http.0.clone(), sender).run_until_closed().in_current_span());
        Viewer { events, _tasks: tasks }
    }

    /// Returns the next event; `None` after [`Event::Closed`]. Cancel-safe.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }
}
