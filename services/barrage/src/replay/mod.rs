//! Replay of a recording into a room at the recorded pace, through the checks of the uplink.

mod pseudonym;
mod senders;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use barrage_protocol::RoomId;
use barrage_protocol::post::Outcome;
use barrage_recording::Recording;
use barrage_uplink::Uplink;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::senders::{post, sender};
use crate::console::Console;

/// Pause between two rounds of a replay that repeats.
const ROUND_PAUSE: Duration = Duration::from_secs(2);

/// Recording, room and pace of a replay.
#[derive(Debug)]
pub(crate) struct Replay {
    /// Name of the recording's file, for messages on the console.
    pub(crate) name: String,
    pub(crate) recording: Recording,
    pub(crate) room: RoomId,
    /// Multiple of the recorded pace; 2 replays twice as fast.
    pub(crate) speed: f64,
    /// Whether the replay starts again at the end.
    pub(crate) repeats: bool,
    /// Receives a line at the end of each round.
    pub(crate) console: Console,
}

impl Replay {
    /// Describes the replay in one line: file, number of messages, room and duration.
    pub(crate) fn describe(&self) -> String {
        let recorded_ms = self.recording.duration_ms();
        let duration = match self.speed {
            speed if (speed - 1.0).abs() < f64::EPSILON => format_ms(recorded_ms),
            speed => format!(
                "{} at {speed} times the recorded pace of {}",
                format_ms((recorded_ms as f64 / speed) as u64),
                format_ms(recorded_ms)
            ),
        };
        let repeats = if self.repeats { ", in a loop" } else { "" };
        format!(
            "{}: {} messages into room {} within {duration}{repeats}",
            self.name,
            self.recording.items.len(),
            self.room
        )
    }
}

/// Formats a duration as `1 h 02 min`, `3 min 06 s` or `45 s`.
fn format_ms(ms: u64) -> String {
    let secs = ms.div_ceil(1_000);
    match (secs / 3_600, secs / 60 % 60, secs % 60) {
        (0, 0, secs) => format!("{secs} s"),
        (0, minutes, secs) => format!("{minutes} min {secs:02} s"),
        (hours, minutes, _) => format!("{hours} h {minutes:02} min"),
    }
}

/// Plays until the end of the recording or the shutdown. Counts the messages that the uplink refuses.
pub(crate) async fn run(replay: Replay, uplink: Arc<Uplink>, shutdown: CancellationToken) {
    let mut round = 0_u64;
    let run_id: u32 = rand::random();
    loop {
        let outcomes = tokio::select! {
            outcomes = play(&replay, &uplink, run_id, round) => outcomes,
            () = shutdown.cancelled() => return,
        };
        tracing::info!(
            room = %replay.room,
            shown = outcomes.shown,
            held = outcomes.held,
            refused = outcomes.refused,
            "the replay of a recording ended"
        );
        // A closed standard output does not end the server.
        drop(replay.console.print_line(format!("  played  {}: {}", replay.name, outcomes.describe())));
        if !replay.repeats {
            return;
        }
        round += 1;
        tokio::select! {
            () = tokio::time::sleep(ROUND_PAUSE) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

/// Number of replayed messages by the outcome of their posts.
#[derive(Debug, Default)]
struct Outcomes {
    /// Messages that were shown to every viewer of the room.
    shown: u64,
    /// Over the display quota of the room: shown to no other viewer.
    held: u64,
    refused: u64,
    /// Refusals by the label of the code.
    refusals: BTreeMap<&'static str, u64>,
}

impl Outcomes {
    /// Describes the counts in one line, such as `1552 shown, 12396 held by the room's display
    /// quota, 18 refused (slow_mode 18)`.
    fn describe(&self) -> String {
        let mut text = format!("{} shown, {} held by the room's display quota", self.shown, self.held);
        if self.held > 0 {
            text.push_str(" (uplink.limits.room_display_chat_per_s)");
        }
        text.push_str(&format!(", {} refused", self.refused));
        if !self.refusals.is_empty() {
            let reasons: Vec<_> =
                self.refusals.iter().map(|(code, count)| format!("{code} {count}")).collect();
            text.push_str(&format!(" ({})", reasons.join(", ")));
        }
        text
    }

    fn add_refusal(&mut self, label: &'static str) {
        self.refused += 1;
        *self.refusals.entry(label).or_default() += 1;
    }
}

async fn play(replay: &Replay, uplink: &Uplink, run_id: u32, round: u64) -> Outcomes {
    let started = Instant::now();
    let mut outcomes = Outcomes::default();
    for (index, item) in replay.recording.items.iter().enumerate() {
        let due = Duration::from_secs_f64(item.offset_ms as f64 / 1000.0 / replay.speed);
        tokio::time::sleep_until(started + due).await;
        let id = format!("r{run_id:x}.{round}.{index}");
        let Some((by, post)) = sender(item, index, &replay.recording).zip(post(item, &id)) else {
            outcomes.add_refusal("unreadable");
            continue;
        };
        match uplink.replay(&replay.room, &by, &post).await {
            Ok(answer) if answer.outcome == Outcome::Held => outcomes.held += 1,
            Ok(_) => outcomes.shown += 1,
            Err(refusal) => {
                tracing::debug!(code = refusal.code.label(), "the uplink refused a message of the recording");
                outcomes.add_refusal(refusal.code.label());
            }
        }
    }
    outcomes
}

#[cfg(test)]
mod tests {
    use barrage_recording::Limits;

    use super::*;

    fn replay(messages: usize, speed: f64) -> Replay {
        let entry = |n: usize| format!(r#"<d p="{n},1,25,16777215,0,0,0,{n}">text {n}</d>"#);
        let entries: String = (0..messages).map(entry).collect();
        let recording = barrage_recording::parse(format!("<i>{entries}</i>").as_bytes(), &Limits::default());
        let (recording, room) = (recording.unwrap(), "demo".parse().unwrap());
        Replay { name: "show.xml".into(), recording, room, speed, repeats: false, console: Console::Silent }
    }

    #[test]
    fn description_has_file_messages_room_and_duration() {
        assert_eq!(replay(187, 1.0).describe(), "show.xml: 187 messages into room demo within 3 min 06 s");
        assert_eq!(
            replay(187, 20.0).describe(),
            "show.xml: 187 messages into room demo within 10 s at 20 times the recorded pace of 3 min 06 s"
        );
        assert_eq!(format_ms(3_720_000), "1 h 02 min");
    }

    #[test]
    fn outcomes_have_the_held_messages_and_the_refusals_by_code() {
        let mut outcomes = Outcomes { shown: 1_552, held: 12_396, ..Outcomes::default() };
        outcomes.add_refusal("slow_mode");
        outcomes.add_refusal("slow_mode");
        let text = outcomes.describe();
        assert!(text.starts_with("1552 shown, 12396 held by the room's display quota"), "{text}");
        assert!(text.ends_with("2 refused (slow_mode 2)"), "{text}");
    }
}
