//! A viewer of one room, which reconnects and repairs gaps by itself.

mod follow;
mod session;

use std::sync::Arc;

use barrage_protocol::state::RoomState;
use tokio::sync::{Notify, mpsc, watch};
use tracing::Instrument;

use self::session::{Session, Signals};
use crate::config::ViewerConfig;
use crate::event::Event;
use crate::heartbeat::Network;
use crate::http::HttpPool;
use crate::link::Tasks;

/// A viewer of a room: connects, resumes, repairs and reconnects by itself. Leaves the room on drop.
#[derive(Debug)]
pub struct Viewer {
    events: mpsc::Receiver<Event>,
    network: watch::Sender<Network>,
    visibility: watch::Sender<Visibility>,
    activity: Activity,
    state: watch::Receiver<Arc<RoomState>>,
    _tasks: Tasks,
}

/// What a user does outside of the connection of a viewer. Clones report to the same viewer, and to none
/// after its end.
#[derive(Debug, Clone, Default)]
pub struct Activity(Arc<Notify>);

impl Activity {
    /// Reports that the user sent a message. After 10 s of silence the viewer examines whether its
    /// connection still works, so that the user sees the message. Reports before the examination are one.
    pub fn posted(&self) {
        self.0.notify_one();
    }
}

/// Whether the user sees what arrives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Visibility {
    /// Every message is wanted; the start.
    #[default]
    Shown,
    /// The server counts chat in `left_out` instead of sending it. Gifts, signals and counters still come.
    Hidden,
}

impl Viewer {
    /// Starts to connect, and trusts the system's authorities. Results and failures arrive as events.
    #[must_use]
    pub fn start(config: ViewerConfig) -> Self {
        Viewer::start_with(config, &HttpPool::new())
    }

    /// Starts to connect over HTTP connections that several viewers share, and trusts the authorities of
    /// the pool.
    #[must_use]
    pub fn start_with(config: ViewerConfig, pool: &HttpPool) -> Self {
        let (sender, events) = mpsc::channel(config.events_max);
        let mut tasks = Tasks::default();
        let (network, changes) = watch::channel(config.heartbeat.network.clone());
        let activity = Activity::default();
        let (visibility, visible) = watch::channel(Visibility::default());
        let signals = Signals { network: changes, posted: Arc::clone(&activity.0), visibility: visible };
        let (known, state) = watch::channel(Arc::default());
        let session = Session::new(config, pool.clone(), sender, signals, known);
        tasks.spawn(session.run_until_closed().in_current_span());
        Viewer { events, network, visibility, activity, state, _tasks: tasks }
    }

    /// Reports that the machine is in another network, or that its network came back. The viewer examines its
    /// connection within 5 s, or reconnects at once if it was waiting to.
    pub fn network_changed(&self, network: Network) {
        self.network.send_replace(network);
    }

    /// Reports whether the user sees what arrives. It reaches servers that take it, over a WebSocket; over other
    /// transports chat still comes. The chat between hidden and shown comes as a number alone.
    pub fn set_visibility(&self, visibility: Visibility) {
        self.visibility.send_replace(visibility);
    }

    /// Returns the way to report what the user does. A [`crate::Sender`] reports its posts by itself after
    /// [`crate::Sender::with_viewer`]; a program that posts otherwise reports them by this.
    #[must_use]
    pub fn activity(&self) -> Activity {
        self.activity.clone()
    }

    /// Reports that the user sent a message; the same as [`Activity::posted`].
    pub fn posted(&self) {
        self.activity.posted();
    }

    /// Returns the state of the room as this viewer knows it, as a value that changes with it: title, rules,
    /// pinned message and attributes. It is empty before the first hello, and at servers of earlier
    /// releases. It has a message's change when [`Viewer::next`] returns the message.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<Arc<RoomState>> {
        self.state.clone()
    }

    /// Returns the next event; `None` after [`Event::Closed`]. Cancel-safe.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }
}
