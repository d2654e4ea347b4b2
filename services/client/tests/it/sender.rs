//! The sender against a server that does what the test says.

use std::time::Duration;

use crate::fake::{Fake, Ws, soon};
use barrage_client::{SendError, Sender, SenderConfig};
use barrage_protocol::Code;
use barrage_protocol::code::Refusal;
use barrage_protocol::post::{Outcome, Post, Style};

fn post() -> Post {
    Post::Chat { id: "m1".parse().unwrap(), text: "hi".into(), style: Style::default() }
}

fn sending(
    config: SenderConfig,
) -> tokio::task::JoinHandle<Result<barrage_protocol::post::PostAnswer, SendError>> {
    let sender = Sender::new(config).unwrap();
    tokio::spawn(async move { sender.send(&"demo".parse().unwrap(), &post()).await })
}

fn config(fake: &Fake) -> SenderConfig {
    SenderConfig::new(format!("http://{}", fake.address), "t")
}

#[tokio::test]
async fn what_may_pass_is_tried_again_under_the_same_id() {
    let mut fake = Fake::start(Ws::Refused).await;
    let sending = sending(config(&fake));
    let first = fake.request().await;
    assert_eq!(first.path, "/v1/rooms/demo/messages");
    let body = first.body.clone();
    first.status(502);
    fake.request().await.refuse(Refusal::new(Code::RateLimited, "wait").retry_after_ms(5));
    // No answer at all: the connection is cut.
    drop(fake.request().await);
    let last = fake.request().await;
    assert_eq!(last.body, body);
    last.json(r#"{"outcome":"duplicate","sequence":7}"#);
    assert_eq!(soon(sending).await.unwrap().unwrap().outcome, Outcome::Duplicate);
}

#[tokio::test]
async fn what_stays_refused_is_not_tried_again() {
    let mut fake = Fake::start(Ws::Refused).await;
    let muted = sending(config(&fake));
    fake.request().await.refuse(Refusal::new(Code::Muted, "muted").retry_after_ms(5));
    let Err(SendError::Refused(refusal)) = soon(muted).await.unwrap() else { panic!("not refused") };
    assert_eq!(refusal.code, Code::Muted);
    // A proxy's page, not an answer of Barrage.
    let lost = sending(config(&fake));
    fake.request().await.status(404);
    assert!(matches!(soon(lost).await.unwrap(), Err(SendError::Refused(_))));
}

#[tokio::test]
async fn a_wait_beyond_the_deadline_is_not_begun() {
    let mut fake = Fake::start(Ws::Refused).await;
    let slow = sending(config(&fake));
    fake.request().await.refuse(Refusal::new(Code::SlowMode, "slow").retry_after_ms(60_000));
    let Err(SendError::Refused(refusal)) = soon(slow).await.unwrap() else { panic!("not refused") };
    assert_eq!(refusal.retry_after_ms, Some(60_000));
}

#[tokio::test]
async fn an_attempt_does_not_outlast_the_deadline() {
    let mut fake = Fake::start(Ws::Refused).await;
    let deadline = Duration::from_millis(100);
    let silent =
        sending(SenderConfig { deadline, attempt_timeout: Duration::from_secs(600), ..config(&fake) });
    let _unanswered = fake.request().await;
    assert!(matches!(soon(silent).await.unwrap(), Err(SendError::Deadline(_))));
}
