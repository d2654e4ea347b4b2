//! Faults of the servers: no accepted message may be lost or doubled by them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use barrage_bus::nats::{Level, NatsError};
use barrage_bus::{
    BusConfig, BusError, Draft, Event, InstanceReport, Log, NatsBus, NatsConfig, RangeLimits, Receipt,
    Registry, Role, Subscription,
};
use barrage_protocol::frame::RepairOutcome;
use barrage_protocol::{Class, Sequence};
use barrage_testkit::NatsServer;

use tokio::task::JoinHandle;

use crate::drafts::{draft, topic};
use crate::engine::{connect, metrics, nats_config};
use crate::suite::next_message;

/// Longest wait for servers that come back.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Posts gifts one after the other under new ids; posts each again under its id until it is
/// accepted.
async fn post(bus: Arc<NatsBus>, sender: String, count: usize) -> Vec<(String, Receipt)> {
    let mut accepted = Vec::new();
    for n in 0..count {
        let id = format!("{sender}-{n}");
        let mut is_first = true;
        let began = barrage_clock::now();
        let receipt = loop {
            match bus.publish(vec![draft("r", &sender, &id, Class::Gift)]).await {
                Ok(receipts) => break receipts[0],
                Err(error) => assert!(error.is_retryable() && began.elapsed() < WAIT_MAX, "{error}"),
            }
            is_first = false;
        };
        // Retries inside of the bus must not look like duplicates to the caller.
        assert!(!(is_first && receipt.duplicate), "{id} was posted once");
        accepted.push((id, receipt));
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
    accepted
}

/// Publishes until the servers take it.
async fn publish_again(bus: &NatsBus, draft: &Draft) -> Receipt {
    let published = async {
        loop {
            if let Ok(receipts) = bus.publish(vec![draft.clone()]).await {
                return receipts[0];
            }
        }
    };
    tokio::time::timeout(WAIT_MAX, published).await.expect("the servers did not come back")
}

/// Asserts that the subscriber receives every accepted gift once, in the chain.
async fn assert_all_are_received(
    mut subscription: Subscription,
    posters: Vec<JoinHandle<Vec<(String, Receipt)>>>,
) -> HashMap<String, Sequence> {
    let mut accepted = HashMap::new();
    for poster in posters {
        for (id, receipt) in poster.await.unwrap() {
            assert!(accepted.insert(id, receipt.sequence).is_none());
        }
    }
    let (mut received, mut last) = (HashMap::new(), subscription.start);
    while received.len() < accepted.len() {
        let event = tokio::time::timeout(Duration::from_secs(10), subscription.next()).await;
        let event = event.unwrap_or_else(|_| panic!("{} of {} received", received.len(), accepted.len()));
        let Some(Event::Message(message)) = event else { panic!("{event:?}: the channel was large enough") };
        assert_eq!(message.previous, last, "a gap without Lagged");
        last = message.sequence;
        let id = message.id.as_ref().unwrap().to_string();
        assert!(received.insert(id, message.sequence).is_none(), "received twice");
    }
    assert_eq!(received, accepted);
    accepted
}

fn posters(bus: &Arc<NatsBus>, count: usize) -> Vec<JoinHandle<Vec<(String, Receipt)>>> {
    (0..4).map(|n| tokio::spawn(post(Arc::clone(bus), format!("u{n}"), count))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_neither_loses_nor_doubles_a_message() {
    let mut server = NatsServer::start().await;
    let publisher = connect(&server, BusConfig::default()).await;
    let gateway = connect(&server, BusConfig::default()).await;
    let subscription = gateway.subscribe(&topic("r")).await.unwrap();
    let posters = posters(&publisher, 250);
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(400)).await;
        server.kill();
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.restart().await;
    }
    assert_eq!(assert_all_are_received(subscription, posters).await.len(), 1_000);
    assert_eq!(gateway.read_all(0, Sequence::ZERO, 5_000).await.unwrap().len(), 1_000);
}

/// The connections stay open and nothing is answered; later everything is answered at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_server_neither_loses_nor_doubles_a_message() {
    let server = NatsServer::start().await;
    let publisher = connect(&server, BusConfig::default()).await;
    let gateway = connect(&server, BusConfig::default()).await;
    let subscription = gateway.subscribe(&topic("r")).await.unwrap();
    let posters = posters(&publisher, 100);
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.pause();
    tokio::time::sleep(Duration::from_secs(2)).await;
    server.resume();
    assert_eq!(assert_all_are_received(subscription, posters).await.len(), 400);
    assert_eq!(gateway.read_all(0, Sequence::ZERO, 5_000).await.unwrap().len(), 400);
}

/// A server that hangs keeps its connections open and sends nothing. Every bus must still list the
/// instances that it knew, and report how long the servers have been silent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_server_expires_no_instance() {
    let server = NatsServer::start().await;
    let (a, b) = (connect(&server, BusConfig::default()).await, connect(&server, BusConfig::default()).await);
    let report = |id: &str| InstanceReport::new(Role::Gateway, id);
    a.report(report("a")).await.unwrap();
    b.report(report("b")).await.unwrap();
    let began = barrage_clock::now();
    while a.gateways().len() < 2 || b.gateways().len() < 2 {
        assert!(began.elapsed() < WAIT_MAX, "the processes do not list each other");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((a.servers_silent_for(), b.servers_silent_for()), (None, None));
    server.pause();
    let stopped = barrage_clock::now();
    // Longer than an instance may be silent while the servers answer.
    while stopped.elapsed() < Duration::from_secs(8) {
        let listed = (a.gateways().len(), b.gateways().len());
        assert_eq!(listed, (2, 2), "after {:?}", stopped.elapsed());
        drop(tokio::time::timeout(Duration::from_millis(300), a.report(report("a"))).await);
    }
    assert!(a.servers_silent_for().is_some_and(|silence| silence > Duration::from_secs(5)));
    assert!(b.servers_silent_for().is_some_and(|silence| silence > Duration::from_secs(5)));
    server.resume();
    let (continued, mut a_at) = (barrage_clock::now(), None);
    // From now on only `a` reports, so that only `a` stays listed.
    while b.gateways().len() > 1 || b.servers_silent_for().is_some() {
        assert!(continued.elapsed() < WAIT_MAX, "{:?}", b.gateways());
        if a.report(report("a")).await.is_ok() {
            a_at.get_or_insert_with(barrage_clock::now);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let since = a_at.expect("the server accepted a report").elapsed();
    assert!(since > Duration::from_secs(3), "`b` had no time to report: {since:?}");
    assert_eq!(b.gateways()[0].report.id, "a");
}

/// Returns the index of the server that leads the stream.
async fn leader(server: &NatsServer) -> Option<usize> {
    let context = async_nats::jetstream::new(async_nats::connect(server.url()).await.ok()?);
    let mut stream = context.get_stream("barrage_messages").await.ok()?;
    let name = stream.info().await.ok()?.cluster.clone()?.leader?;
    (0..3).find(|n| format!("n{n}") == name)
}

/// Connects a process to some of three servers.
async fn of_three(servers: &[NatsServer], known: &[usize]) -> Arc<NatsBus> {
    let config = NatsConfig {
        urls: known.iter().map(|n| servers[*n].url().into()).collect(),
        replicas: 3,
        publish_deadline_ms: 15_000,
        ..nats_config(&servers[0])
    };
    // The servers elect a leader first.
    let connected = async {
        loop {
            match NatsBus::connect(config.clone(), BusConfig::default(), metrics()).await {
                Ok(bus) => return bus,
                Err(error) => assert!(matches!(error, NatsError::Setup { .. }), "{error}"),
            }
        }
    };
    tokio::time::timeout(WAIT_MAX, connected).await.expect("the servers elect no leader")
}

/// Each of many rooms has messages to read when the servers come back, and asks the leader for its
/// newest position: no room may block another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gaps_of_many_rooms_are_read_at_once() {
    const ROOMS: usize = 60;
    let mut server = NatsServer::start().await;
    let publisher = connect(&server, BusConfig::default()).await;
    let gateway = connect(&server, BusConfig::default()).await;
    let rooms: Vec<_> = (0..ROOMS).map(|n| format!("r{n}")).collect();
    let mut subscriptions = Vec::new();
    for room in &rooms {
        subscriptions.push(gateway.subscribe(&topic(room)).await.unwrap());
    }
    let mut posted = 0;
    for _ in 0..3 {
        server.kill();
        server.restart().await;
        // The gateway may reconnect before, between or after these.
        for part in 0..5 {
            for room in &rooms {
                let gift = draft(room, "u", &format!("{posted}-{part}"), Class::Gift);
                publish_again(&publisher, &gift).await;
            }
        }
        posted += 5;
    }
    for subscription in &mut subscriptions {
        for _ in 0..posted {
            let event = tokio::time::timeout(Duration::from_secs(20), subscription.next()).await;
            assert!(matches!(event.expect("a room received nothing"), Some(Event::Message(_))));
        }
    }
}

/// One server of three is left and cannot lead: its messages can be read nevertheless.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_leader_rooms_can_be_subscribed_and_read() {
    let mut servers = NatsServer::start_cluster().await;
    let publisher = of_three(&servers, &[0, 1, 2]).await;
    let gifts: Vec<_> = (0..20).map(|n| draft("r", "u", &format!("g{n}"), Class::Gift)).collect();
    let receipts = publisher.publish(gifts).await.unwrap();
    let leader = leader(&servers[0]).await.expect("a leader");
    let left = (leader + 1) % 3;
    let gateway = of_three(&servers, &[left]).await;
    // NATS fixes this time: a follower checks only every ten seconds whether it may answer reads.
    tokio::time::sleep(Duration::from_secs(11)).await;
    for n in (0..3).filter(|n| *n != left) {
        servers[n].kill();
    }
    // The connection to it stays open, and it must detect the loss of the other two.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let (after, last) = (receipts[4].sequence, receipts[19].sequence);
    let read = async {
        let subscription = gateway.subscribe(&topic("r")).await.unwrap();
        assert_eq!(subscription.start, last);
        gateway.range(&topic("r"), after, Some(last), RangeLimits::default()).await.unwrap()
    };
    let range =
        tokio::time::timeout(Duration::from_secs(5), read).await.expect("the read waited for a leader");
    assert_eq!((range.outcome, range.messages.len()), (RepairOutcome::Complete, 14));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_leader_of_three_neither_loses_nor_doubles_a_message() {
    let mut servers = NatsServer::start_cluster().await;
    let publisher = of_three(&servers, &[0, 1, 2]).await;
    let gateway = of_three(&servers, &[0, 1, 2]).await;
    let package = || (0..10).map(|n| draft("p", "u", &format!("p{n}"), Class::Gift)).collect::<Vec<_>>();
    let first = publisher.publish(package()).await.unwrap();
    assert_eq!(first[9].sequence.0, first[0].sequence.0 + 9);

    let subscription = gateway.subscribe(&topic("r")).await.unwrap();
    let posters = posters(&publisher, 150);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let victim = leader(&servers[0]).await.expect("a leader");
    servers[victim].kill();
    assert_eq!(assert_all_are_received(subscription, posters).await.len(), 600);
    let again = publisher.publish(package()).await.unwrap();
    assert!(again.iter().zip(&first).all(|(a, f)| a.duplicate && a.sequence == f.sequence));
    let other = Draft { fingerprint: 2, ..package().remove(3) };
    let fresh = draft("p", "u", "fresh", Class::Gift);
    assert_eq!(publisher.publish(vec![fresh, other]).await, Err(BusError::Conflict));
    assert_eq!(gateway.read_all(0, Sequence::ZERO, 5_000).await.unwrap().len(), 610);
    let away = gateway.check().await.unwrap();
    assert!(
        away.iter().any(|it| it.level == Level::Bad && it.text.contains("replicas are away")),
        "{away:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishing_without_a_server_fails_within_its_deadline() {
    let mut server = NatsServer::start().await;
    let config = NatsConfig { publish_deadline_ms: 700, ack_timeout_ms: 200, ..nats_config(&server) };
    let bus = NatsBus::connect(config, BusConfig::default(), metrics()).await.unwrap();
    server.kill();
    let began = barrage_clock::now();
    let refused = bus.publish(vec![draft("r", "u", "x", Class::Gift)]).await.unwrap_err();
    assert!(refused.is_retryable());
    assert!(began.elapsed() < Duration::from_millis(1_500), "{:?}", began.elapsed());
    server.restart().await;
    let receipt = publish_again(&bus, &draft("r", "u", "x", Class::Gift)).await;
    assert_eq!(bus.last(&topic("r")).await.unwrap(), receipt.sequence);
    assert_eq!(bus.read_all(0, Sequence::ZERO, 10).await.unwrap().len(), 1);
}

/// The client drops messages that its channel cannot hold; subscribers must see no gap.
#[tokio::test]
async fn messages_dropped_by_a_full_channel_are_read_again() {
    let server = NatsServer::start().await;
    let tiny = BusConfig { subscriber_lag_max: 2, ..BusConfig::default() };
    let registry = prometheus::Registry::new();
    let counted = barrage_bus::BusMetrics::new(&registry).unwrap();
    let gateway = NatsBus::connect(nats_config(&server), tiny, counted).await.unwrap();
    let publisher = connect(&server, BusConfig::default()).await;
    let mut subscription = gateway.subscribe(&topic("r")).await.unwrap();
    for part in 0..5 {
        let package = (0..200).map(|n| draft("r", "u", &format!("m{part}-{n}"), Class::Gift)).collect();
        publisher.publish(package).await.unwrap();
    }
    let newest = publisher.last(&topic("r")).await.unwrap();
    let (mut position, mut seen) = (subscription.start, 0);
    while position < newest {
        let event = tokio::time::timeout(Duration::from_secs(10), subscription.next()).await;
        match event.expect("messages are missing at the end").unwrap() {
            Event::Message(message) if message.sequence > position => {
                assert_eq!(message.previous, position, "a gap without Lagged");
                (position, seen) = (message.sequence, seen + 1);
            }
            Event::Message(_) | Event::Pulse(_) => {}
            Event::Lagged => {
                let limits = barrage_bus::RangeLimits::default();
                let range = gateway.range(&topic("r"), position, None, limits).await.unwrap();
                (position, seen) = (range.covered_to, seen + range.messages.len());
            }
        }
    }
    assert_eq!(seen, 1_000);
    let slow = registry.gather().into_iter().find(|it| it.name() == "barrage_bus_slow_subscriptions_total");
    assert!(slow.unwrap().get_metric()[0].get_counter().get_value() > 0.0, "no channel was full");
}

/// Messages that are stored and never republished: the next message shows the gap, and the audit
/// finds it where no message follows.
#[tokio::test]
async fn messages_that_were_never_republished_are_found() {
    let server = NatsServer::start().await;
    let bus = connect(&server, BusConfig::default()).await;
    let mut subscription = bus.subscribe(&topic("r")).await.unwrap();
    let context = async_nats::jetstream::new(async_nats::connect(server.url()).await.unwrap());
    let mut stream = context.get_stream("barrage_messages").await.unwrap();
    let republishing = stream.info().await.unwrap().config.clone();
    let mute = async_nats::jetstream::stream::Config { republish: None, ..republishing.clone() };
    let gifts =
        |from: usize| (from..from + 3).map(|n| draft("r", "u", &format!("m{n}"), Class::Gift)).collect();

    context.update_stream(&mute).await.unwrap();
    bus.publish(gifts(0)).await.unwrap();
    context.update_stream(&republishing).await.unwrap();
    bus.publish(gifts(3)).await.unwrap();
    context.update_stream(&mute).await.unwrap();
    bus.publish(gifts(6)).await.unwrap();
    let mut last = subscription.start;
    for n in 0..9 {
        let message = next_message(&mut subscription).await;
        assert_eq!((message.previous, message.id.as_ref().unwrap().as_str()), (last, &*format!("m{n}")));
        last = message.sequence;
    }
    assert!(!bus.check().await.unwrap().iter().all(|finding| finding.level != Level::Bad));
}
