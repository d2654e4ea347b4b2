//! The sender against a server that does what the test says.

use std::time::Duration;

use crate::fake::{Asked, Fake, Ws, soon};
use barrage_client::{LadderLimits, SendError, Sender, SenderConfig, UplinkTransport};
use barrage_protocol::Code;
use barrage_protocol::code::Refusal;
use barrage_protocol::post::{Outcome, Post};

fn post() -> Post {
    Post::chat("m1".parse().unwrap(), "hi")
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
async fn retryable_refusal_is_retried_under_the_same_id() {
    let mut fake = Fake::start(Ws::Refused).await;
    let sending = sending(config(&fake));
    let first = fake.request().await;
    assert_eq!(first.path, "/v1/rooms/demo/messages");
    let body = first.body.clone();
    first.refuse(Refusal::new(Code::RateLimited, "wait").retry_after_ms(5));
    fake.request().await.refuse(Refusal::new(Code::Unavailable, "wait").retry_after_ms(5));
    let last = fake.request().await;
    assert_eq!((last.path.as_str(), &last.body), ("/v1/rooms/demo/messages", &body));
    last.json(r#"{"outcome":"duplicate","sequence":7}"#);
    assert_eq!(soon(sending).await.unwrap().unwrap().outcome, Outcome::Duplicate);
}

/// Answers one request in a tunnel, and returns its JSON.
fn answer_in_tunnel(asked: Asked, answer: &str) -> serde_json::Value {
    assert_eq!(asked.path, "/v1/tunnel");
    let (length, json) = asked.body.split_at(4);
    assert_eq!(u32::from_be_bytes(length.try_into().unwrap()) as usize, json.len());
    let inner = serde_json::from_slice(json).unwrap();
    let length = u32::try_from(answer.len()).unwrap().to_be_bytes();
    asked.json([&length, answer.as_bytes()].concat());
    inner
}

/// A status of a proxy, a cut, a page of a captive portal.
#[tokio::test]
async fn post_that_no_server_answers_goes_through_the_tunnel_and_the_next_ones_begin_there() {
    for fault in 0..3 {
        let mut fake = Fake::start(Ws::Refused).await;
        let ladder = LadderLimits { probe_base_ms: 400, ..LadderLimits::default() };
        let sender = Sender::new(SenderConfig { ladder, ..config(&fake) }).unwrap();
        let send = |sender: &Sender| {
            let sender = sender.clone();
            tokio::spawn(async move { sender.send(&"demo".parse().unwrap(), &post()).await.unwrap() })
        };
        let sending = send(&sender);
        let asked = fake.request().await;
        assert_eq!(asked.path, "/v1/rooms/demo/messages");
        let body: serde_json::Value = serde_json::from_slice(&asked.body).unwrap();
        match fault {
            0 => asked.status(502),
            1 => asked.json("<!doctype html><title>Sign in</title>"),
            _ => drop(asked),
        }
        let answer = r#"{"status":200,"body":{"outcome":"broadcast","sequence":7}}"#;
        let inner = answer_in_tunnel(fake.request().await, answer);
        assert_eq!((&inner["body"], &inner["token"]), (&body, &"t".into()));
        assert_eq!((&inner["method"], &inner["path"]), (&"POST".into(), &"/v1/rooms/demo/messages".into()));
        assert_eq!(soon(sending).await.unwrap().outcome, Outcome::Broadcast);
        assert_eq!(sender.transport(), Some(UplinkTransport::Tunnel));
        let next = send(&sender);
        answer_in_tunnel(fake.request().await, answer);
        soon(next).await.unwrap();
        // After the wait an ordinary request is tried again.
        tokio::time::sleep(Duration::from_millis(400)).await;
        let last = send(&sender);
        let asked = fake.request().await;
        assert_eq!(asked.path, "/v1/rooms/demo/messages");
        asked.json(r#"{"outcome":"broadcast","sequence":8}"#);
        soon(last).await.unwrap();
        assert_eq!(sender.transport(), Some(UplinkTransport::Http));
    }
}

#[tokio::test]
async fn uplink_that_is_away_is_left_for_the_next_one_and_not_for_the_tunnel() {
    let mut fake = Fake::start(Ws::Refused).await;
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let uplinks = vec![format!("http://{nobody}"), format!("http://{}", fake.address)];
    let sending = sending(SenderConfig { uplinks, ..config(&fake) });
    let asked = fake.request().await;
    assert_eq!(asked.path, "/v1/rooms/demo/messages");
    asked.json(r#"{"outcome":"broadcast","sequence":8}"#);
    soon(sending).await.unwrap().unwrap();
}

#[tokio::test]
async fn uplink_that_did_not_answer_is_not_asked_first_by_the_next_post() {
    let (mut lame, mut fake) = (Fake::start(Ws::Refused).await, Fake::start(Ws::Refused).await);
    let uplinks = [&lame, &fake].map(|fake| format!("http://{}", fake.address)).to_vec();
    let sender = Sender::new(SenderConfig { uplinks, ..config(&fake) }).unwrap();
    for n in 0..3 {
        let sender = sender.clone();
        let sending = tokio::spawn(async move { sender.send(&"demo".parse().unwrap(), &post()).await });
        if n == 0 {
            lame.request().await.status(502);
        }
        fake.request().await.json(r#"{"outcome":"broadcast","sequence":8}"#);
        soon(sending).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn permanent_refusal_is_not_retried() {
    let mut fake = Fake::start(Ws::Refused).await;
    let muted = sending(config(&fake));
    fake.request().await.refuse(Refusal::new(Code::Muted, "muted").retry_after_ms(5));
    let Err(SendError::Refused(refusal)) = soon(muted).await.unwrap() else { panic!("not refused") };
    assert_eq!(refusal.code, Code::Muted);
    // A proxy's page, not an answer of Barrage: the tunnel gets the same.
    let lost = sending(config(&fake));
    fake.request().await.status(404);
    let asked = fake.request().await;
    assert_eq!(asked.path, "/v1/tunnel");
    asked.status(404);
    assert!(matches!(soon(lost).await.unwrap(), Err(SendError::Refused(_))));
}

/// A proxy may have removed the token's header; the tunnel has it in its body.
#[tokio::test]
async fn refused_token_is_confirmed_through_the_tunnel() {
    let mut fake = Fake::start(Ws::Refused).await;
    let refused = || Refusal::new(Code::Unauthorized, "who are you");
    let wrong = sending(config(&fake));
    fake.request().await.refuse(refused());
    let answer = r#"{"status":401,"body":{"error":{"code":"unauthorized","message":"who are you"}}}"#;
    answer_in_tunnel(fake.request().await, answer);
    let Err(SendError::Refused(refusal)) = soon(wrong).await.unwrap() else { panic!("not refused") };
    assert_eq!(refusal.code, Code::Unauthorized);
    let right = sending(config(&fake));
    fake.request().await.refuse(refused());
    let answer = r#"{"status":200,"body":{"outcome":"broadcast","sequence":7}}"#;
    answer_in_tunnel(fake.request().await, answer);
    assert_eq!(soon(right).await.unwrap().unwrap().outcome, Outcome::Broadcast);
}

#[tokio::test]
async fn retry_time_beyond_the_deadline_ends_the_send_at_once() {
    let mut fake = Fake::start(Ws::Refused).await;
    let slow = sending(config(&fake));
    fake.request().await.refuse(Refusal::new(Code::SlowMode, "slow").retry_after_ms(60_000));
    let Err(SendError::Refused(refusal)) = soon(slow).await.unwrap() else { panic!("not refused") };
    assert_eq!(refusal.retry_after_ms, Some(60_000));
}

#[tokio::test]
async fn attempt_ends_at_the_deadline() {
    let mut fake = Fake::start(Ws::Refused).await;
    let deadline = Duration::from_millis(100);
    let silent =
        sending(SenderConfig { deadline, attempt_timeout: Duration::from_secs(600), ..config(&fake) });
    let _unanswered = fake.request().await;
    assert!(matches!(soon(silent).await.unwrap(), Err(SendError::Deadline(_))));
}

/// A server of one answer a request, which counts its connections and the paths that were asked for.
async fn counting() -> (std::net::SocketAddr, std::sync::Arc<parking_lot::Mutex<(usize, Vec<String>)>>) {
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = std::sync::Arc::<parking_lot::Mutex<(usize, Vec<String>)>>::default();
    let noted = std::sync::Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            noted.lock().0 += 1;
            let noted = std::sync::Arc::clone(&noted);
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let (mut line, mut length) = (String::new(), 0);
                while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
                    let text = std::mem::take(&mut line).to_lowercase();
                    if let Some(value) = text.strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    } else if text.contains(" http/1.1") {
                        noted.lock().1.push(text.split(' ').nth(1).unwrap().to_owned());
                    } else if text == "\r\n" {
                        let mut body = vec![0; std::mem::take(&mut length)];
                        stream.read_exact(&mut body).await.unwrap();
                        let answer =
                            if body.is_empty() { "" } else { r#"{"outcome":"broadcast","sequence":1}"# };
                        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", answer.len());
                        stream.write_all((head + answer).as_bytes()).await.unwrap();
                    }
                }
            });
        }
    });
    (address, seen)
}

#[tokio::test]
async fn connection_is_opened_ahead_once_and_carries_the_post() {
    let (address, seen) = counting().await;
    let (sender, room) =
        (Sender::new(SenderConfig::new(format!("http://{address}"), "t")).unwrap(), "demo".parse().unwrap());
    for _ in 0..5 {
        sender.warm(&room).await.unwrap();
    }
    sender.send(&room, &post()).await.unwrap();
    sender.warm(&room).await.unwrap();
    let (connections, paths) = seen.lock().clone();
    assert_eq!((connections, paths), (1, vec!["/v1/ping".to_owned(), "/v1/rooms/demo/messages".to_owned()]));
}

#[tokio::test]
async fn uplink_that_does_not_answer_a_ping_is_asked_again() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = SenderConfig {
        attempt_timeout: Duration::from_millis(100),
        ..SenderConfig::new(format!("http://{}", listener.local_addr().unwrap()), "t")
    };
    let sender = Sender::new(config).unwrap();
    for _ in 0..2 {
        assert!(matches!(sender.warm(&"demo".parse().unwrap()).await, Err(SendError::Deadline(_))));
    }
}

#[tokio::test]
async fn times_of_uplinks_are_reported_to_entry_and_no_post_waits_for_them() {
    let other = Fake::start(Ws::Refused).await;
    let mut fake = Fake::start(Ws::Refused).await;
    let own = format!("http://{}", fake.address);
    let uplinks = vec![own.clone(), format!("http://{}", other.address), "http://127.0.0.1:1".to_owned()];
    fake.entry_says(barrage_protocol::entry::EntryAnswer { uplinks: uplinks.clone(), ..fake.entry_answer() });
    let sending = sending(SenderConfig::through_entry(&own, "t"));
    fake.request().await.json(r#"{"outcome":"broadcast","sequence":7}"#);
    soon(sending).await.unwrap().unwrap();
    let reported = async {
        while fake.reports().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    soon(reported).await;
    let report = &fake.reports()[0];
    let results: Vec<_> =
        report.uplinks.iter().map(|one| (one.url.clone(), one.elapsed_ms.is_some())).collect();
    let wanted: Vec<_> = uplinks.into_iter().zip([true, true, false]).collect();
    assert_eq!(results, wanted);
    assert!(report.results.is_empty(), "{report:?}");
}
