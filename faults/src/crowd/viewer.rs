//! One viewer that records when each message was shown.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use barrage_client::{Event, Viewer, ViewerConfig};
use barrage_protocol::Class;
use barrage_protocol::entry::EntryAnswer;

use super::{Load, Records};
use crate::oracle::{Seen, Shown};

/// Shortest silence that is a line in the log of a viewer.
const SILENCE_MS: u32 = 3_000;

/// Describes an event for the log of a viewer; `None` for a message.
fn describe(event: &Event) -> Option<String> {
    match event {
        Event::Hello(hello, transport) => {
            Some(format!("hello at {} by {transport:?} as {}", hello.sequence.0, hello.connection))
        }
        Event::Repaired { outcome, skipped } => Some(format!("repaired: {outcome:?}, {skipped} skipped")),
        Event::Lost => Some("a gap could not be repaired".to_owned()),
        Event::Waiting { ms } => Some(format!("a ticket for a join in {ms} ms")),
        Event::Reconnecting { wait_ms, code } => {
            Some(format!("closed with {code:?}, reconnects in {wait_ms} ms"))
        }
        Event::Closed { code, message, .. } => Some(format!("closed for good: {code:?}, {message}")),
        _ => None,
    }
}

/// Returns the number of a message of the writer: the digits after the letter of the id in its body.
/// Messages of others have another letter.
pub(crate) fn number_in(body: &str, letter: char) -> Option<usize> {
    let (_, id) = body.split_once("\"id\":\"")?;
    id.split('"').next()?.strip_prefix(letter)?.parse().ok()
}

/// Watches a room until the end of the run.
pub(super) async fn watch(
    records: Arc<Records>,
    entry: String,
    number: usize,
    fallback: Option<EntryAnswer>,
) -> Seen {
    let load = &records.load;
    let (rooms, room) = (load.rooms, number % load.rooms);
    let mut config = ViewerConfig::new(entry, Load::room(room));
    config.transports.clone_from(&load.transports);
    config.fallback = fallback;
    // One process stands for all devices: a race and a connection pool for each of them would cost
    // more than the test.
    config.race = false;
    let mut viewer = Viewer::start_with(config, &records.http);
    let (gifts, chats) = (Shown::new(load.gifts(), rooms), Shown::new(load.chats(), rooms));
    let mut seen = Seen { room, gifts, chats, ..Seen::default() };
    let (mut last_ms, mut last_message_ms) = (records.now_ms(), None);
    loop {
        let event = tokio::select! {
            event = viewer.next() => event,
            () = records.ended() => return seen,
        };
        let now_ms = records.now_ms();
        let silent_ms = now_ms - std::mem::replace(&mut last_ms, now_ms);
        if silent_ms > SILENCE_MS {
            seen.log.push((now_ms, format!("no event for {silent_ms} ms")));
        }
        seen.log.extend(event.as_ref().and_then(describe).map(|line| (now_ms, line)));
        match event {
            Some(Event::Hello(..)) => {
                if seen.hellos_ms.is_empty() {
                    records.joined.fetch_add(1, Ordering::Relaxed);
                }
                seen.hellos_ms.push(now_ms);
            }
            Some(Event::Message(message)) => {
                let since_ms = last_message_ms.replace(now_ms).map_or(0, |last| now_ms - last);
                seen.silence_max_ms = seen.silence_max_ms.max(since_ms);
                let letter = if message.class == Class::Gift { 'g' } else { 'c' };
                let Some(number) = number_in(message.body.get(), letter) else { continue };
                let place = number / rooms;
                match message.class {
                    Class::Gift if seen.gifts.record(place, now_ms) => {
                        records.shown.fetch_add(1, Ordering::Relaxed);
                    }
                    Class::Chat => _ = seen.chats.record(place, now_ms),
                    _ => {}
                }
            }
            Some(Event::LeftOut { chat }) => seen.left_out += chat,
            Some(Event::Reconnecting { .. }) => seen.breaks_ms.push(now_ms),
            Some(Event::Closed { message, .. }) => seen.closed = Some(message),
            Some(_) => {}
            None => return seen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_of_the_writer_have_a_number() {
        assert_eq!(number_in(r#"{"type":"gift","id":"g12","gift":{}}"#, 'g'), Some(12));
        assert_eq!(number_in(r#"{"type":"gift","id":"d12","gift":{}}"#, 'g'), None);
        assert_eq!(number_in(r#"{"type":"gift","id":"g1x","gift":{}}"#, 'g'), None);
        assert_eq!(number_in("{}", 'g'), None);
    }
}
