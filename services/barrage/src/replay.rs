//! Plays a recording into a room at its own pace, through the uplink's own checks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use barrage_protocol::post::{Gift, Mode, Outcome, Post, Size, Style};
use barrage_protocol::{RoomId, UserId};
use barrage_recording::{Item, ItemKind, Recording};
use barrage_token::{Identity, Role, Rooms};
use barrage_uplink::Uplink;
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{cli, pseudonym};

/// What is replayed, where, and how.
#[derive(Debug)]
pub(crate) struct Replay {
    /// The file's name, for the banner.
    pub(crate) name: String,
    pub(crate) recording: Recording,
    pub(crate) room: RoomId,
    /// Multiple of the recorded pace.
    pub(crate) speed: f64,
    /// Begin again at the end.
    pub(crate) again: bool,
}

impl Replay {
    /// A line for the banner: the file, its messages, and how long it plays.
    pub(crate) fn describe(&self) -> String {
        let recorded_ms = self.recording.duration_ms();
        let plays = match self.speed {
            speed if (speed - 1.0).abs() < f64::EPSILON => span(recorded_ms),
            speed => format!(
                "{} at {speed} times its pace of {}",
                span((recorded_ms as f64 / speed) as u64),
                span(recorded_ms)
            ),
        };
        let again = if self.again { ", again and again" } else { "" };
        format!(
            "{}: {} messages into room {} within {plays}{again}",
            self.name,
            self.recording.items.len(),
            self.room
        )
    }
}

/// `1 h 02 min`, `3 min 06 s`, `45 s`.
fn span(ms: u64) -> String {
    let secs = ms.div_ceil(1_000);
    match (secs / 3_600, secs / 60 % 60, secs % 60) {
        (0, 0, secs) => format!("{secs} s"),
        (0, minutes, secs) => format!("{minutes} min {secs:02} s"),
        (hours, minutes, _) => format!("{hours} h {minutes:02} min"),
    }
}

/// Size of a danmaku in the recording that counts as normal, in its own pixels.
const NORMAL_PX: u32 = 25;
/// Between two rounds of a loop.
const PAUSE: Duration = Duration::from_secs(2);

/// Plays until the end or the shutdown. What the uplink refuses is counted.
pub(crate) async fn run(replay: Replay, uplink: Arc<Uplink>, shutdown: CancellationToken) {
    let mut round = 0_u64;
    let run_id: u32 = rand::random();
    loop {
        let done = tokio::select! {
            done = play(&replay, &uplink, run_id, round) => done,
            () = shutdown.cancelled() => return,
        };
        tracing::info!(
            room = %replay.room,
            shown = done.shown,
            held = done.held,
            refused = done.refused,
            "a recording was played"
        );
        // A closed standard output does not end the server.
        drop(cli::say(format!("  played  {}: {}", replay.name, done.describe())));
        if !replay.again {
            return;
        }
        round += 1;
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

#[derive(Debug, Default)]
struct Done {
    /// Every viewer got it.
    shown: u64,
    /// Over the room's display quota: no other viewer got it.
    held: u64,
    refused: u64,
    /// Refusals by the label of their code.
    refusals: BTreeMap<&'static str, u64>,
}

impl Done {
    /// `1552 shown, 12396 held by the room's display quota, 18 refused (slow_mode 18)`.
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

    fn refuse(&mut self, label: &'static str) {
        self.refused += 1;
        *self.refusals.entry(label).or_default() += 1;
    }
}

async fn play(replay: &Replay, uplink: &Uplink, run_id: u32, round: u64) -> Done {
    let started = Instant::now();
    let mut done = Done::default();
    for (index, item) in replay.recording.items.iter().enumerate() {
        let due = Duration::from_secs_f64(item.offset_ms as f64 / 1000.0 / replay.speed);
        tokio::time::sleep_until(started + due).await;
        let id = format!("r{run_id:x}.{round}.{index}");
        let Some((by, post)) = sender(item, index, replay).zip(post(item, &id)) else {
            done.refuse("unreadable");
            continue;
        };
        match uplink.replay(&replay.room, &by, &post).await {
            Ok(answer) if answer.outcome == Outcome::Held => done.held += 1,
            Ok(_) => done.shown += 1,
            Err(refusal) => {
                tracing::debug!(code = refusal.code.label(), "a recorded message was refused");
                done.refuse(refusal.code.label());
            }
        }
    }
    done
}

/// Messages of one pseudonym, on average, where the recording does not tell senders apart.
const MESSAGES_EACH: usize = 3;

/// A user of its own for every name, whatever it is written in. A recording without names has
/// hashes, from which pseudonyms are made; one without hashes gets as many senders as a crowd
/// has on average.
fn sender(item: &Item, index: usize, replay: &Replay) -> Option<Identity> {
    let crowd = replay.recording.items.len().div_ceil(MESSAGES_EACH).max(1);
    let (key, name) = match item.sender.as_str() {
        name if replay.recording.has_names && !name.is_empty() => (name.to_owned(), name.to_owned()),
        hash if pseudonym::is_nobody(hash) => {
            // A step that shares no factor with most numbers, so that neighbours differ.
            let key = format!("crowd-{}", index.wrapping_mul(7_919) % crowd);
            let name = pseudonym::of(&key);
            (key, name)
        }
        hash => (hash.to_owned(), pseudonym::of(hash)),
    };
    let digest = Sha256::digest(key.as_bytes());
    let hash: String = digest[..5].iter().map(|byte| format!("{byte:02x}")).collect();
    let user: UserId = format!("replay-{hash}").parse().ok()?;
    Some(Identity {
        user,
        name,
        role: Role::Viewer,
        rooms: Rooms(vec!["*".into()]),
        expires_at_secs: u64::MAX,
        issued_at_secs: None,
    })
}

fn post(item: &Item, id: &str) -> Option<Post> {
    let id = id.parse().ok()?;
    Some(match &item.kind {
        ItemKind::Chat { text, mode, color, size_px } => Post::Chat {
            id,
            text: text.clone(),
            style: Style {
                mode: match mode {
                    barrage_recording::Mode::Scroll => Mode::Scroll,
                    barrage_recording::Mode::Top => Mode::Top,
                    barrage_recording::Mode::Bottom => Mode::Bottom,
                },
                color: *color & 0xff_ffff,
                size: match size_px {
                    0..NORMAL_PX => Size::Small,
                    NORMAL_PX..=30 => Size::Normal,
                    _ => Size::Large,
                },
            },
        },
        ItemKind::Gift { name, count, price_minor } => Post::Gift {
            id,
            gift: Gift { name: name.clone(), count: *count, price_minor: *price_minor, combo: None },
        },
        ItemKind::SuperChat { text, amount_minor, currency } => Post::SuperChat {
            id,
            text: text.clone(),
            amount_minor: *amount_minor,
            currency: (*currency).to_owned(),
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use barrage_recording::Limits;

    use super::*;

    fn replay(entries: &str, speed: f64) -> Replay {
        let recording = barrage_recording::parse(format!("<i>{entries}</i>").as_bytes(), &Limits::default());
        let (recording, room) = (recording.unwrap(), "demo".parse().unwrap());
        Replay { name: "show.xml".into(), recording, room, speed, again: false }
    }

    fn danmaku(count: usize, hash: &str, more: &str) -> String {
        let entry = |n: usize| format!(r#"<d p="{n},1,25,16777215,0,0,{hash},{n}" {more}>text {n}</d>"#);
        (0..count).map(entry).collect()
    }

    fn senders(replay: &Replay) -> Vec<Identity> {
        let items = replay.recording.items.iter().enumerate();
        items.map(|(index, item)| sender(item, index, replay).unwrap()).collect()
    }

    #[test]
    fn banner_says_file_messages_room_and_length() {
        let text = replay(&danmaku(187, "0", ""), 1.0).describe();
        assert_eq!(text, "show.xml: 187 messages into room demo within 3 min 06 s");
        let text = replay(&danmaku(187, "0", ""), 20.0).describe();
        assert_eq!(
            text,
            "show.xml: 187 messages into room demo within 10 s at 20 times its pace of 3 min 06 s"
        );
        assert_eq!(span(3_720_000), "1 h 02 min");
    }

    #[test]
    fn end_says_how_many_were_held_and_why_others_were_refused() {
        let mut done = Done { shown: 1_552, held: 12_396, ..Done::default() };
        done.refuse("slow_mode");
        done.refuse("slow_mode");
        let text = done.describe();
        assert!(text.starts_with("1552 shown, 12396 held by the room's display quota"), "{text}");
        assert!(text.ends_with("2 refused (slow_mode 2)"), "{text}");
    }

    #[test]
    fn recording_without_names_gets_pseudonyms_of_its_hashes() {
        let by_hash = senders(&replay(&danmaku(3, "5bd04b14", ""), 1.0));
        assert_eq!(by_hash[0].name, pseudonym::of("5bd04b14"));
        assert!(by_hash.iter().all(|by| by.user == by_hash[0].user));
    }

    #[test]
    fn recording_whose_hashes_are_all_zero_gets_a_crowd() {
        let crowd = senders(&replay(&danmaku(300, "0", ""), 1.0));
        let users: HashSet<_> = crowd.iter().map(|by| by.user.clone()).collect();
        assert_eq!(users.len(), 100);
        assert!(crowd.iter().all(|by| by.name != "0" && !by.name.is_empty()));
    }

    #[test]
    fn recorded_names_are_kept() {
        let named = senders(&replay(&danmaku(2, "0", r#"user="夜航船""#), 1.0));
        assert!(named.iter().all(|by| by.name == "夜航船"));
    }
}
