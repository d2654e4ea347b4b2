//! Senders that are killed in the middle: no notification is lost, and none comes after a read.

use std::time::Duration;

use barrage_testkit::PushAnswer;

use crate::site::Site;

#[tokio::test]
async fn another_sender_takes_over_and_tells_nothing_that_was_read_meanwhile() {
    let mut site = Site::start().await;
    for name in ["host", "reader"] {
        site.browser(name, "browser").await;
        site.letter("fan", name, "hello").await;
    }
    site.services.answer(|_| Some(PushAnswer { after: Duration::from_secs(60), ..PushAnswer::status(201) }));
    let first = site.run();
    site.requests(2).await;
    first.kill().await;
    site.services.answer_as_usual();
    let killed_ms = barrage_clock::unix_ms();
    site.read("reader", "fan", 1).await;
    // Two share the queue from now on.
    let (second, third) = (site.run(), site.run());
    site.empty().await;
    let later: Vec<_> = site.services.requests().into_iter().filter(|it| it.at_ms >= killed_ms).collect();
    let paths: Vec<_> = later.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(paths, ["/send/host-browser"]);
    // The same id replaces what the first sender may have sent.
    let topic = |path: &str| {
        let requests = site.services.requests();
        let topics = requests.iter().filter(|it| it.path == path).map(|it| it.headers["topic"].clone());
        topics.collect::<Vec<_>>()
    };
    let topics = topic("/send/host-browser");
    assert!(topics.len() == 2 && topics[0] == topics[1], "{topics:?}");
    let settled = second.stop().await.settled + third.stop().await.settled;
    assert_eq!(settled, 2);
}

#[tokio::test]
async fn many_kills_lose_nothing_and_tell_nothing_after_a_read() {
    let mut site = Site::start().await;
    site.config.lease_secs = 5;
    site.config.timeout_ms = 500;
    let users: Vec<String> = (0..60).map(|number| format!("u{number}")).collect();
    for name in &users {
        site.browser(name, "browser").await;
        site.letter("fan", name, "hello").await;
    }
    // Some answers take a while, so that kills meet requests in flight.
    site.services.answer(|request| {
        let wait_ms = request.path.len() as u64 % 3 * 20;
        Some(PushAnswer { after: Duration::from_millis(wait_ms), ..PushAnswer::status(201) })
    });
    let mut read_at_ms = Vec::new();
    for round in 0..8_usize {
        let running = site.run();
        tokio::time::sleep(Duration::from_millis(15 * (round as u64 % 4))).await;
        let name = &users[round * 7];
        site.read(name, "fan", 1).await;
        read_at_ms.push((format!("/send/{name}-browser"), barrage_clock::unix_ms()));
        running.kill().await;
    }
    let running = site.run();
    site.empty().await;
    running.stop().await;
    let requests = site.services.requests();
    for name in &users {
        let path = format!("/send/{name}-browser");
        let is_told = requests.iter().any(|it| it.path == path);
        assert!(is_told || read_at_ms.iter().any(|(read, _)| *read == path), "{name} was never told");
    }
    for (path, at_ms) in &read_at_ms {
        // What was looked at before the read may be on its way for a moment.
        let late = requests.iter().filter(|it| it.path == *path && it.at_ms > at_ms + 1_000).count();
        assert_eq!(late, 0, "{path}");
    }
}
