//! Rooms spread over several streams.

use std::collections::HashSet;
use std::sync::Arc;

use barrage_bus::nats::{Level, NatsError};
use barrage_bus::{BusConfig, Log, NatsBus, NatsConfig, RangeLimits, Topic};
use barrage_protocol::frame::RepairOutcome;
use barrage_protocol::{Class, Sequence};
use barrage_testkit::NatsServer;

use crate::drafts::{draft, topic};
use crate::engine::{metrics, nats_config};
use crate::suite::{next_message, read_all};

async fn open(config: NatsConfig) -> Result<Arc<NatsBus>, NatsError> {
    NatsBus::connect(config, BusConfig::default(), metrics()).await
}

async fn post(bus: &NatsBus, room: &str, id: &str) -> Sequence {
    bus.publish(vec![draft(room, "u", id, Class::Gift)]).await.unwrap()[0].sequence
}

#[tokio::test]
async fn partitions_have_positions_and_messages_of_their_own() {
    let server = NatsServer::start().await;
    let bus = open(NatsConfig { partitions: 3, ..nats_config(&server) }).await.unwrap();
    let mut positions = HashSet::new();
    for n in 0..30 {
        let room = format!("r{n}");
        let mut subscription = bus.subscribe(&topic(&room)).await.unwrap();
        let sequence = post(&bus, &room, "m").await;
        let message = next_message(&mut subscription).await;
        assert_eq!((message.room.as_str(), message.sequence), (room.as_str(), sequence));
        let range = bus.range(&topic(&room), Sequence::ZERO, None, RangeLimits::default()).await.unwrap();
        assert_eq!((range.messages.len(), range.covered_to), (1, sequence));
        positions.insert(sequence);
    }
    assert!(positions.len() < 30, "all positions differ: there is only one stream");
    assert_eq!((bus.partitions(), read_all(&*bus, 100).await.len()), (3, 30));
    let findings = bus.check().await.unwrap();
    assert!(findings.iter().all(|finding| finding.level != Level::Bad), "{findings:?}");
    assert_eq!(findings.iter().filter(|it| it.text.starts_with("1 replica")).count(), 1, "{findings:?}");
}

#[tokio::test]
async fn another_number_of_partitions_is_refused_with_the_way_to_move() {
    let server = NatsServer::start().await;
    let with = |partitions| NatsConfig { partitions, ..nats_config(&server) };
    for (made, others) in [(1, [2, 3, 64]), (3, [1, 2, 4])] {
        let config = |partitions| NatsConfig { prefix: format!("made{made}"), ..with(partitions) };
        let bus = open(config(made)).await.unwrap();
        let newest = (0..20).map(|n| format!("r{n}"));
        let mut last = Sequence::ZERO;
        for room in newest {
            last = last.max(post(&bus, &room, "m").await);
        }
        for other in others {
            for declare in [true, false] {
                let refused = open(NatsConfig { declare, ..config(other) }).await.err().unwrap();
                let NatsError::Partitions { made: found, wanted, next } = refused else {
                    panic!("{refused}")
                };
                assert_eq!((found, wanted, next), (made, other, last.0 + 1));
                assert!(refused.to_string().contains("docs/guide/operate.md"));
            }
        }
        let again = open(config(made)).await.unwrap();
        assert_eq!(read_all(&*again, 100).await.len(), 20);
        assert!(post(&again, "r0", "later").await > Sequence::ZERO);
    }
    for wrong in [0, 65] {
        assert!(matches!(open(with(wrong)).await.err(), Some(NatsError::Config(_))));
    }
}

/// Streams with another first number, after the old ones were deleted.
#[tokio::test]
async fn a_move_to_more_partitions_continues_after_the_newest_position() {
    let server = NatsServer::start().await;
    let one = open(nats_config(&server)).await.unwrap();
    for n in 0..40 {
        post(&one, &format!("r{}", n % 4), &format!("m{n}")).await;
    }
    let (old, older) = (one.last(&topic("r3")).await.unwrap(), one.last(&topic("r0")).await.unwrap());
    drop(one);
    let wanted = NatsConfig { partitions: 3, ..nats_config(&server) };
    let Some(NatsError::Partitions { next, .. }) = open(wanted.clone()).await.err() else {
        panic!("not refused")
    };
    assert_eq!(next, 41);
    let context = async_nats::jetstream::new(async_nats::connect(server.url()).await.unwrap());
    context.delete_stream("barrage_messages").await.unwrap();

    let moved = open(NatsConfig { first_sequence: next, ..wanted.clone() }).await.unwrap();
    for partition in 0..3 {
        assert_eq!(*moved.tail(partition).borrow(), Sequence(40));
    }
    let resumed = moved.range(&topic("r3"), old, None, RangeLimits::default()).await.unwrap();
    assert_eq!(resumed.messages.len(), 0);
    let mut subscription = moved.subscribe(&topic("r3")).await.unwrap();
    let first = post(&moved, "r3", "m0").await;
    assert!(first > old);
    assert_eq!(next_message(&mut subscription).await.previous, Sequence::ZERO);
    // A client with the newest position of all has missed nothing; for others it is unknown.
    let resumed = moved.range(&topic("r3"), old, None, RangeLimits::default()).await.unwrap();
    assert_eq!((resumed.outcome, resumed.messages.len()), (RepairOutcome::Complete, 1));
    post(&moved, "r0", "m0").await;
    let resumed = moved.range(&topic("r0"), older, None, RangeLimits::default()).await.unwrap();
    assert_eq!((resumed.outcome, resumed.messages.len()), (RepairOutcome::Gone, 1));

    // Later starts work with and without the setting.
    for first_sequence in [next, 1] {
        let later = open(NatsConfig { first_sequence, ..wanted.clone() }).await.unwrap();
        assert_eq!(later.last(&topic("r3")).await.unwrap(), first);
        let direct = draft("r3", "u", &format!("d{first_sequence}"), Class::Signal);
        let direct = barrage_bus::Draft { to: Some("w".parse().unwrap()), ..direct };
        later.publish(vec![direct]).await.unwrap();
        assert!(later.last(&Topic::Direct).await.unwrap() > Sequence(40));
    }
}
