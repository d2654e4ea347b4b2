//! Receivers that hang, redirect, flood, refuse, or are where no request may go.

use std::time::Duration;

use barrage_store::DeliveryState;
use barrage_testkit::wait;

use crate::receiver::{Receiver, Reply};
use crate::site::{NAME, PATIENCE, Site};

const OK: Reply = Reply::Status(204, "");

#[tokio::test]
async fn receiver_that_hangs_is_asked_again_after_the_timeout() {
    let receiver = Receiver::start(|n| if n == 0 { Reply::Hang } else { OK }).await;
    let site = Site::start(&receiver.url(), |config| config.timeout_ms = 300).await;
    let gift = site.gift("demo").await;
    let line = site.newest("a delivery", |line| line.state == DeliveryState::Delivered).await;
    assert_eq!((line.attempts, receiver.ids()), (2, vec![gift.clone(), gift]));
}

#[tokio::test]
async fn redirect_is_a_failure_and_nobody_is_asked_at_its_target() {
    let target = Receiver::start(|_| OK).await;
    let url = target.url();
    let receiver = Receiver::start(move |_| Reply::Redirect(url.clone())).await;
    let site = Site::start(&receiver.url(), |config| config.retry_secs = vec![0, 0]).await;
    site.gift("demo").await;
    let line = site.newest("the end of all attempts", |line| line.state == DeliveryState::Failed).await;
    assert_eq!((line.attempts, line.status, receiver.requests().len()), (3, Some(302), 3));
    assert!(target.requests().is_empty());
}

#[tokio::test]
async fn answer_of_a_gigabyte_is_cut_off() {
    let receiver = Receiver::start(|_| Reply::Endless(200)).await;
    let site = Site::start(&receiver.url(), |_| {}).await;
    site.gift("demo").await;
    let line = site.newest("a delivery", |line| line.state == DeliveryState::Delivered).await;
    assert_eq!((line.attempts, line.status), (1, Some(200)));
    // What the kernel buffers on both sides, and not the gigabyte.
    assert!(receiver.written() < 64 << 20, "{} bytes", receiver.written());
}

#[tokio::test]
async fn receiver_that_answers_410_gets_nothing_until_it_is_enabled() {
    let receiver = Receiver::start(|n| if n == 0 { Reply::Status(410, "") } else { OK }).await;
    let mut site = Site::start(&receiver.url(), |_| {}).await;
    let first = site.gift("demo").await;
    wait::until_true(PATIENCE, "a disabled receiver", async || {
        let record = site.store.deliveries().endpoint(NAME).await.unwrap().unwrap();
        record.disabled_reason.is_some_and(|reason| reason.contains("410"))
    })
    .await;
    site.kill().await;
    site.run();
    let second = site.gift("demo").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(receiver.ids(), [first.as_str()], "nothing is sent, also after a restart");
    assert!(site.store.deliveries().disable_endpoint(NAME, None).await.unwrap());
    wait::until_true(PATIENCE, "both events", async || receiver.ids() == [first.as_str(), &first, &second])
        .await;
}

#[tokio::test]
async fn retry_after_is_obeyed_for_all_events_of_the_receiver() {
    let receiver =
        Receiver::start(|n| if n == 0 { Reply::Status(429, "retry-after: 2\r\n") } else { OK }).await;
    let site = Site::start(&receiver.url(), |config| config.parallel_max = 1).await;
    let first = site.gift("demo").await;
    wait::until_true(PATIENCE, "the refusal", async || receiver.requests().len() == 1).await;
    let second = site.gift("demo").await;
    wait::until_true(PATIENCE, "both events", async || receiver.requests().len() >= 3).await;
    let requests = receiver.requests();
    assert_eq!(requests[0].id(), first);
    assert!(requests[1..].iter().any(|request| request.id() == second));
    for later in &requests[1..] {
        let after = later.at.duration_since(requests[0].at);
        assert!(after >= Duration::from_millis(1_900), "{after:?}");
    }
}

#[tokio::test]
async fn private_addresses_are_refused_by_address_and_by_name() {
    let receiver = Receiver::start(|_| OK).await;
    let port = receiver.address.port();
    for url in [
        format!("http://127.0.0.1:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("https://localhost:{port}/"),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
        format!("https://2130706433:{port}/"),
    ] {
        let site = Site::start(&url, |config| {
            config.allow_networks = vec!["10.0.0.0/8".parse().unwrap()];
            config.retry_secs = Vec::new();
        })
        .await;
        site.gift("demo").await;
        let line = site.newest("a refused request", |line| line.state == DeliveryState::Failed).await;
        assert!(line.error.as_ref().unwrap().contains("not permitted"), "{url}: {line:?}");
        assert!(!line.error.unwrap().contains("127"), "{url}");
    }
    assert!(receiver.requests().is_empty());
}

#[tokio::test]
async fn breaker_spares_a_receiver_that_fails_and_loses_no_event() {
    let receiver = Receiver::start(|n| if n < 6 { Reply::Status(500, "") } else { OK }).await;
    let site = Site::start(&receiver.url(), |config| {
        config.breaker.pause_ms = 200;
        config.retry_secs = vec![0; 100];
    })
    .await;
    for _ in 0..10 {
        site.gift("demo").await;
    }
    wait::until_true(PATIENCE, "all deliveries", async || {
        site.log().await.iter().filter(|line| line.state == DeliveryState::Delivered).count() == 10
    })
    .await;
    assert!(receiver.requests().len() < 30, "{} requests", receiver.requests().len());
}
