//! Notices: delivery, acknowledgement at all gateways, and recovery of the subscription.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::fleet::Fleet;
use crate::raw::RawHttp;
use barrage_bus::{
    Bus, BusError, Change, Changed, Draft, InstanceReport, Log, PulseDraft, Range, RangeLimits, Receipt,
    Registered, Registry, Restriction, RestrictionKind, Settings, SettingsStore, Subscription, Topic,
};
use barrage_gateway::GatewayConfig;
use barrage_protocol::frame::ServerFrame;
use barrage_protocol::{Code, RoomId, Sequence};
use barrage_testkit::{Frame, RawSocket};
use barrage_token::Role;
use tokio::sync::watch;

async fn next_notice(socket: &mut RawSocket) -> u64 {
    loop {
        match socket.next().await {
            Frame::Protocol(ServerFrame::Notice(notice), _) => return notice.sequence.0,
            Frame::Protocol(..) | Frame::Pong(_) => {}
            other => panic!("no notice, but {other:?}"),
        }
    }
}

fn named(id: &str) -> GatewayConfig {
    GatewayConfig { id: id.into(), ..GatewayConfig::default() }
}

/// Waits until a gateway has taken a notice, and so all notices that were published before.
async fn caught_up(fleet: &Fleet, address: std::net::SocketAddr, mark: &str) {
    let token = fleet.token_of(mark, Role::Viewer, 4_000_000_000);
    let mut viewer = RawSocket::join(address, "demo", Some(&token), None).await;
    let sequence = fleet.notice(mark, "mark").await;
    while next_notice(&mut viewer).await != sequence {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_notices_are_not_sent_by_another_gateway() {
    let fleet = Fleet::new().await;
    let (a, b) = (fleet.start(named("a")).await, fleet.start(named("b")).await);
    let token = fleet.token_of("u", Role::Viewer, 4_000_000_000);
    let mut on_a = RawSocket::join(a.address, "demo", Some(&token), None).await;
    assert!(matches!(on_a.next().await, Frame::Protocol(ServerFrame::Hello(_), _)));
    let first = fleet.notice("u", "one").await;
    assert_eq!(next_notice(&mut on_a).await, first);
    on_a.send_text(&format!(r#"{{"type":"ack","sequences":[{first}]}}"#)).await;
    // The bus has the acknowledgement before the notice that follows.
    on_a.send_text(r#"{"type":"ping"}"#).await;
    while !matches!(on_a.next().await, Frame::Protocol(ServerFrame::Pong(_), _)) {}
    fleet.direct_reaches(first + 1).await;
    caught_up(&fleet, b.address, "mark-b").await;
    let second = fleet.notice("u", "two").await;
    caught_up(&fleet, b.address, "mark-c").await;
    let mut on_b = RawSocket::join(b.address, "demo", Some(&token), None).await;
    assert_eq!(next_notice(&mut on_b).await, second, "the first one was acknowledged on the other gateway");
}

/// Two shards, three devices, and a stranger beside them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_device_of_a_user_gets_a_notice_and_ends_on_a_kick() {
    let fleet = Fleet::new().await;
    let member = fleet.start(named("a")).await;
    let (token, other) =
        (fleet.token_of("u", Role::Viewer, 4_000_000_000), fleet.token_of("v", Role::Viewer, 4_000_000_000));
    let mut devices = Vec::new();
    for _ in 0..3 {
        devices.push(RawSocket::join(member.address, "demo", Some(&token), None).await);
    }
    let mut stranger = RawSocket::join(member.address, "demo", Some(&other), None).await;
    for socket in devices.iter_mut().chain([&mut stranger]) {
        assert!(matches!(socket.next().await, Frame::Protocol(ServerFrame::Hello(_), _)));
    }
    let notice = fleet.notice("u", "muted").await;
    for device in &mut devices {
        assert_eq!(next_notice(device).await, notice);
    }
    let kick = Restriction { kind: RestrictionKind::Kick, until_ms: 4_000_000_000_000 };
    let change =
        Change::Restrict { room: crate::fleet::room(), user: "u".parse().unwrap(), restriction: kick };
    fleet.bus.change(change).await.unwrap();
    for device in &mut devices {
        loop {
            match device.next().await {
                Frame::Protocol(ServerFrame::Error(refusal), _) => {
                    break assert_eq!(refusal.code, Code::Kicked);
                }
                Frame::Protocol(..) | Frame::Pong(_) => {}
                ended => panic!("no refusal, but {ended:?}"),
            }
        }
    }
    // The stranger got neither: the first notice is the own one.
    let own = fleet.notice("v", "hello").await;
    assert_eq!(next_notice(&mut stranger).await, own);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_reads_all_waiting_notices_when_it_starts() {
    let fleet = Fleet::new().await;
    // More notices than one read of a range returns.
    for n in 0..1_200 {
        fleet.notice(&format!("u{n}"), "mute").await;
    }
    let last = fleet.notice("last", "mute").await;
    let member = fleet.start(named("a")).await;
    caught_up(&fleet, member.address, "mark").await;
    let token = fleet.token_of("last", Role::Viewer, 4_000_000_000);
    let mut viewer = RawSocket::join(member.address, "demo", Some(&token), None).await;
    assert_eq!(next_notice(&mut viewer).await, last);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_acknowledges_the_notices_that_it_names() {
    let fleet = Fleet::new().await;
    let member = fleet.start(named("a")).await;
    let sequence = fleet.notice("u", "mute").await;
    caught_up(&fleet, member.address, "mark").await;
    let token = fleet.token_of("u", Role::Viewer, 4_000_000_000);
    let poll = async |query: &str| {
        let path = format!("/v1/rooms/demo/poll?{query}");
        let mut poll = RawHttp::get(member.address, &path, Some(&token)).await;
        poll.read_to_end().await;
        serde_json::from_str::<serde_json::Value>(poll.body()).unwrap()
    };
    let waiting = poll("after=0&wait_secs=30&ack=").await;
    assert_eq!(waiting["notices"][0]["sequence"], sequence, "{waiting}");
    let acked = poll(&format!("ack={sequence}")).await;
    assert!(acked["notices"].is_null(), "{acked}");
    let refused = poll("ack=x").await;
    assert_eq!(refused["error"]["code"], "bad_request");
}

/// Bus whose first subscriptions to notices fail.
struct Flaky {
    bus: Arc<dyn Bus>,
    failures_left: AtomicUsize,
}

#[async_trait::async_trait]
impl Log for Flaky {
    async fn subscribe(&self, topic: &Topic) -> Result<Subscription, BusError> {
        let fails = |left: usize| left.checked_sub(1);
        if *topic == Topic::Direct
            && self.failures_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails).is_ok()
        {
            return Err(BusError::Unavailable("refused by the test".into()));
        }
        self.bus.subscribe(topic).await
    }

    async fn publish(&self, drafts: Vec<Draft>) -> Result<Vec<Receipt>, BusError> {
        self.bus.publish(drafts).await
    }

    fn pulse(&self, room: &RoomId, pulse: PulseDraft) {
        self.bus.pulse(room, pulse);
    }

    async fn range(
        &self,
        topic: &Topic,
        after: Sequence,
        before: Option<Sequence>,
        limits: RangeLimits,
    ) -> Result<Range, BusError> {
        self.bus.range(topic, after, before, limits).await
    }

    async fn last(&self, topic: &Topic) -> Result<Sequence, BusError> {
        self.bus.last(topic).await
    }

    async fn read_all(
        &self,
        partition: u16,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<barrage_bus::Stored>, BusError> {
        self.bus.read_all(partition, after, limit).await
    }

    fn tail(&self, partition: u16) -> watch::Receiver<Sequence> {
        self.bus.tail(partition)
    }
}

#[async_trait::async_trait]
impl SettingsStore for Flaky {
    fn settings(&self) -> watch::Receiver<Arc<Settings>> {
        self.bus.settings()
    }

    async fn change(&self, change: Change) -> Result<Changed, BusError> {
        self.bus.change(change).await
    }

    async fn catch_up(&self, room: &RoomId) -> Result<(), BusError> {
        self.bus.catch_up(room).await
    }
}

#[async_trait::async_trait]
impl Registry for Flaky {
    async fn report(&self, report: InstanceReport) -> Result<(), BusError> {
        self.bus.report(report).await
    }

    fn instances(&self) -> Vec<Registered> {
        self.bus.instances()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_subscription_to_notices_is_tried_again() {
    let mut fleet = Fleet::new().await;
    fleet.bus = Arc::new(Flaky { bus: Arc::clone(&fleet.bus), failures_left: AtomicUsize::new(3) });
    let member = fleet.start(named("a")).await;
    let token = fleet.token_of("u", Role::Viewer, 4_000_000_000);
    let mut viewer = RawSocket::join(member.address, "demo", Some(&token), None).await;
    let sequence = fleet.notice("u", "mute").await;
    assert_eq!(next_notice(&mut viewer).await, sequence);
}
