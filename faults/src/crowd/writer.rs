//! The writer of gifts and chat, which keeps the time of each acceptance.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use barrage_client::{Sender, SenderConfig};
use barrage_protocol::post::{Gift, Post};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Load, Records};

/// Largest number of posts at the same time; a further post waits, and its delay counts.
const POSTS_MAX: usize = 1_024;

/// Class of a post of the writer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A gift, which viewers must receive.
    Gift,
    /// A chat message, which may be dropped.
    Chat,
}

/// Posts gifts and chat at their rates for the whole run. Returns when every post has an answer.
pub(super) async fn post(records: Arc<Records>, config: SenderConfig, posted: Arc<AtomicBool>) {
    let sender = Sender::new(config).unwrap();
    let all = Arc::clone(&records);
    let one = |kind, number| {
        let (records, sender) = (Arc::clone(&all), sender.clone());
        async move { post_one(&records, &sender, kind, number).await }
    };
    paced(&records.load, one).await;
    posted.store(true, Ordering::SeqCst);
}

/// Calls `one` for each message of a load at its time. Returns when every call has ended.
pub(crate) async fn paced<F>(load: &Load, one: impl Fn(Kind, usize) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let slots = Arc::new(Semaphore::new(POSTS_MAX));
    let mut posts = JoinSet::new();
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    let rates = [(Kind::Gift, load.gifts_per_s), (Kind::Chat, load.chats_per_s)];
    let (mut sent, all_ms) = ([0, 0], load.secs * 1_000);
    let started = barrage_clock::now();
    loop {
        tick.tick().await;
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap().min(all_ms);
        for ((kind, per_s), sent) in rates.into_iter().zip(&mut sent) {
            while *sent < per_s * ms / 1_000 {
                let number = usize::try_from(*sent).unwrap();
                *sent += 1;
                let slot = Arc::clone(&slots).acquire_owned().await.unwrap();
                let call = one(kind, number);
                posts.spawn(async move {
                    call.await;
                    drop(slot);
                });
            }
        }
        while posts.try_join_next().is_some() {}
        if ms == all_ms {
            break;
        }
    }
    while posts.join_next().await.is_some() {}
}

async fn post_one(records: &Records, sender: &Sender, kind: Kind, number: usize) {
    let (post, accepted) = match kind {
        Kind::Gift => {
            let id = format!("g{number}").parse().unwrap();
            let gift = serde_json::json!({ "name": "rose", "count": 1 });
            let gift = serde_json::from_value::<Gift>(gift).unwrap();
            (Post::Gift { id, gift }, records.gift_accepted_ms(number))
        }
        Kind::Chat => {
            let padding = "弹".repeat(records.load.padding);
            let text = format!("message {number} of many, and no two of them are the same {padding}");
            (Post::chat(format!("c{number}").parse().unwrap(), text), records.chat_accepted_ms(number))
        }
    };
    let began_ms = records.now_ms();
    match sender.send(&Load::room(number % records.load.rooms), &post).await {
        Ok(answer) => {
            let now_ms = records.now_ms();
            // Only a message with a position in the chain is owed to viewers: `held` has none.
            if answer.sequence.is_some() {
                accepted.store(now_ms, Ordering::Relaxed);
            } else {
                records.held.fetch_add(1, Ordering::Relaxed);
            }
            records.post_ms.lock().push((now_ms, now_ms - began_ms));
        }
        Err(_) => _ = records.posts_failed.fetch_add(1, Ordering::Relaxed),
    }
}
