//! The newest position of a stream, for the archiver.

use std::time::Duration;

use barrage_protocol::Sequence;
use tokio::sync::watch;

use super::reader::Reader;

/// Time between two requests to the leader of the stream.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// Updates `tail` until its task is aborted. A request five times a second costs less than
/// receiving every message of every room, and the archiver can wait that long.
pub(crate) async fn follow(reader: Reader, tail: watch::Sender<Sequence>) {
    let mut ticks = tokio::time::interval(ASK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match reader.state().await {
            Ok(state) => {
                tail.send_if_modified(|known| {
                    let newest = Sequence(state.last_sequence);
                    std::mem::replace(known, newest) != newest
                });
            }
            Err(error) => tracing::debug!(%error, "the newest position of the stream could not be read"),
        }
    }
}
