//! The stream's newest position, for whoever waits for it.

use std::time::Duration;

use barrage_protocol::Sequence;
use tokio::sync::watch;

use super::reader::Reader;

/// How often the stream is asked.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// Asks until its task is ended. A request five times a second costs less than
/// hearing every message of every room, and an archiver has no hurry.
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
            Err(error) => tracing::debug!(%error, "the stream's end is not known"),
        }
    }
}
