//! Posts to nchan: a gift again until it is accepted, a chat message once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::crowd::{Kind, Load, Records};

/// Longest wait for one answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Wait before a gift is posted again.
const AGAIN: Duration = Duration::from_millis(200);
/// Time after which a gift that nobody accepted is given up.
const GIFT_MAX: Duration = Duration::from_secs(15);

/// Posts one message, to the next of the servers with each attempt.
pub(super) async fn post_one(
    records: Arc<Records>,
    http: reqwest::Client,
    servers: Vec<SocketAddr>,
    kind: Kind,
    number: usize,
) {
    let room = Load::room(number % records.load.rooms);
    let (body, accepted) = match kind {
        Kind::Gift => {
            let body = format!(r#"{{"type":"gift","id":"g{number}","gift":{{"name":"rose","count":1}}}}"#);
            (body, records.gift_accepted_ms(number))
        }
        Kind::Chat => {
            let text = format!("message {number} of many, and no two of them are the same ");
            (
                format!(r#"{{"type":"chat","id":"c{number}","text":"{text}"}}"#),
                records.chat_accepted_ms(number),
            )
        }
    };
    let began = barrage_clock::now();
    for attempt in number.. {
        let url = format!("http://{}/pub/{room}", servers[attempt % servers.len()]);
        let answer = http.post(url).timeout(ANSWER_MAX).body(body.clone()).send().await;
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            accepted.store(records.now_ms(), Ordering::Relaxed);
            return;
        }
        if matches!(kind, Kind::Chat) || began.elapsed() > GIFT_MAX {
            records.posts_failed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        tokio::time::sleep(AGAIN).await;
    }
}
