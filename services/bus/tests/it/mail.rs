//! The way of mail on both engines: who gets what, and that nothing waits.

use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{
    Attachments, BusConfig, EmbeddedMail, MAIL_BYTES_MAX, Mail, MailEnvelope, MailGroup, MailNews,
    MailReceiver, NatsMail, SnapshotPart, UserHash,
};
use barrage_testkit::NatsServer;

use crate::engine::{metrics, nats_config};

const WAIT_MAX: Duration = Duration::from_secs(10);

fn users(count: u8) -> Vec<UserHash> {
    (0..count).map(|number| UserHash::from_bytes([number; 16])).collect()
}

fn envelope(number: u64, frame_bytes: usize) -> MailEnvelope {
    let groups = vec![MailGroup { users: users(3), frame: vec![b'x'; frame_bytes].into() }];
    MailEnvelope { lane: 7, source: 9, number, groups }
}

fn announcement(gateway: &str) -> Attachments {
    let snapshot = Some(SnapshotPart { part: 0, parts: 1 });
    Attachments { gateway: gateway.into(), snapshot, attached: users(2), detached: Vec::new() }
}

async fn next<T>(receiver: &mut MailReceiver<T>) -> T {
    tokio::time::timeout(WAIT_MAX, receiver.next()).await.expect("something arrives").expect("the bus lives")
}

/// `gateways` is the bus of the gateways' processes, `courier` that of the courier's.
async fn mail_goes_to_its_gateway_and_announcements_to_every_courier(
    gateways: Arc<dyn Mail>,
    courier: Arc<dyn Mail>,
) {
    let names = ["a", "a.b", "*", ">", "\u{5f39} 1"];
    let mut news = Vec::new();
    for name in names {
        news.push(gateways.news(name).await.unwrap());
    }
    let mut couriers = [courier.attachments().await.unwrap(), courier.attachments().await.unwrap()];
    // A receiver is known to the servers before what it sends itself.
    tokio::time::timeout(WAIT_MAX, async {
        loop {
            gateways.announce(announcement("a"));
            let [one, other] = &mut couriers;
            let both = async { (one.next().await, other.next().await) };
            if let Ok(received) = tokio::time::timeout(Duration::from_millis(200), both).await {
                break assert_eq!(received, (Some(announcement("a")), Some(announcement("a"))));
            }
        }
    })
    .await
    .unwrap();
    for (number, name) in (1..).zip(names) {
        courier.send(name, envelope(number, 10));
        courier.send("nobody", envelope(99, 10));
    }
    courier.send("a", envelope(77, MAIL_BYTES_MAX / 2));
    for (number, news) in (1..).zip(&mut news) {
        assert_eq!(next(news).await, MailNews::Envelope(envelope(number, 10)));
    }
    assert_eq!(next(&mut news[0]).await, MailNews::Envelope(envelope(77, MAIL_BYTES_MAX / 2)));
    courier.call_roll();
    for news in &mut news {
        assert_eq!(next(news).await, MailNews::RollCall);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embedded_mail_goes_to_its_gateway() {
    let mail: Arc<dyn Mail> = Arc::new(EmbeddedMail::new());
    mail_goes_to_its_gateway_and_announcements_to_every_courier(Arc::clone(&mail), mail).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nats_mail_goes_to_its_gateway_in_another_process() {
    let server = NatsServer::start().await;
    let connect = async || {
        let config = nats_config(&server);
        NatsMail::connect(&config, &BusConfig::default(), &metrics()).await.unwrap()
    };
    let (gateways, courier) = (connect().await, connect().await);
    mail_goes_to_its_gateway_and_announcements_to_every_courier(gateways, courier).await;
}

#[tokio::test]
async fn receiver_that_reads_nothing_loses_mail_and_stops_nobody() {
    let mail = EmbeddedMail::new();
    let mut slow = mail.news("slow").await.unwrap();
    let mut quick = mail.news("quick").await.unwrap();
    for number in 0..10_000 {
        mail.send("slow", envelope(number, 10));
        mail.send("quick", envelope(number, 10));
        assert_eq!(next(&mut quick).await, MailNews::Envelope(envelope(number, 10)));
    }
    let mut kept = 0;
    while tokio::time::timeout(Duration::from_millis(10), slow.next()).await.is_ok() {
        kept += 1;
    }
    assert!((1..2_000).contains(&kept), "{kept} envelopes were kept");
    // A gateway that has gone and comes back gets what comes from then on.
    drop(slow);
    mail.send("slow", envelope(1, 10));
    let mut again = mail.news("slow").await.unwrap();
    mail.send("slow", envelope(2, 10));
    assert_eq!(next(&mut again).await, MailNews::Envelope(envelope(2, 10)));
}
