//! Plays a recording into a room at its own pace, through the uplink's own checks.

use std::sync::Arc;
use std::time::Duration;

use barrage_protocol::post::{Gift, Mode, Post, Size, Style};
use barrage_protocol::{RoomId, UserId};
use barrage_recording::{Item, ItemKind, Recording};
use barrage_token::{Identity, Role, Rooms};
use barrage_uplink::Uplink;
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What is replayed, where, and how.
#[derive(Debug)]
pub(crate) struct Replay {
    pub(crate) recording: Recording,
    pub(crate) room: RoomId,
    /// Multiple of the recorded pace.
    pub(crate) speed: f64,
    /// Begin again at the end.
    pub(crate) again: bool,
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
        tracing::info!(room = %replay.room, posted = done.posted, refused = done.refused, "a recording was played");
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
    posted: u64,
    refused: u64,
}

async fn play(replay: &Replay, uplink: &Uplink, run_id: u32, round: u64) -> Done {
    let started = Instant::now();
    let mut done = Done::default();
    for (index, item) in replay.recording.items.iter().enumerate() {
        let due = Duration::from_secs_f64(item.offset_ms as f64 / 1000.0 / replay.speed);
        tokio::time::sleep_until(started + due).await;
        let id = format!("r{run_id:x}.{round}.{index}");
        let Some((by, post)) = sender(item).zip(post(item, &id)) else {
            done.refused += 1;
            continue;
        };
        match uplink.post(&replay.room, &by, &post).await {
            Ok(_) => done.posted += 1,
            Err(error) => {
                tracing::debug!(code = error.0.code.label(), "a recorded message was refused");
                done.refused += 1;
            }
        }
    }
    done
}

/// A user of its own for every name, whatever it is written in.
fn sender(item: &Item) -> Option<Identity> {
    let name = if item.sender.is_empty() { "观众".into() } else { item.sender.clone() };
    let digest = Sha256::digest(item.sender.as_bytes());
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
