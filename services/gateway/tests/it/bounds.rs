//! Bounds in bytes: of each answer, and of the memory of clients that never read.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::fleet::{self, Fleet, Member, room};
use crate::raw::RawHttp;
use barrage_bus::Draft;
use barrage_gateway::GatewayConfig;
use barrage_protocol::Class;
use barrage_protocol::frame::{Batch, ServerFrame};
use barrage_testkit::{Frame, RawSocket};
use tokio::sync::Mutex;

/// One test at a time, because resident memory is that of the whole process.
static ALONE: Mutex<()> = Mutex::const_new(());

const TEXT_BYTES: usize = 12_000;
const ANSWER_BYTES_MAX: usize = 32 * 1024;
/// Clients of each kind. Both ends of each connection are in this process.
const CLIENTS: usize = 1_000;

/// Publishes messages with large texts; returns the last position.
async fn fill(fleet: &Fleet, class: Class, count: usize) -> u64 {
    let text = "x".repeat(TEXT_BYTES);
    let mut last = 0;
    for n in 0..count {
        let body =
            serde_json::json!({ "type": "chat", "id": n.to_string(), "text": text }).to_string().into();
        let (room, fingerprint) = (room(), 0);
        let draft = Draft { room, class, sender: None, id: None, fingerprint, to: None, trace: None, body };
        last = fleet.bus.publish(vec![draft]).await.unwrap()[0].sequence.0;
    }
    last
}

fn frames(text: &str) -> Vec<Batch> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let batches = lines.filter_map(|json| {
        assert!(json.len() <= ANSWER_BYTES_MAX, "{} bytes", json.len());
        match ServerFrame::parse(json.as_bytes()).unwrap() {
            ServerFrame::Batch(batch) => Some(batch),
            _ => None,
        }
    });
    batches.collect()
}

/// Checks that the parts have no gap; returns the number of their messages.
fn joined(parts: &[Batch], last: u64) -> usize {
    assert!(parts.windows(2).all(|pair| pair[0].sequence == pair[1].previous), "no gap between parts");
    assert_eq!(parts.last().unwrap().sequence.0, last);
    parts.iter().map(|part| part.messages.len()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_bounded_in_bytes_and_the_next_one_continues() {
    let _alone = ALONE.lock().await;
    let fleet = Fleet::new().await;
    let member = fleet.start(GatewayConfig::default()).await;
    let last = fill(&fleet, Class::Gift, 30).await;

    let mut socket = RawSocket::join(member.address, "demo", None, Some(0)).await;
    let mut parts = Vec::new();
    while parts.last().is_none_or(|part: &Batch| part.sequence.0 < last) {
        match socket.next().await {
            Frame::Protocol(ServerFrame::Batch(batch), json) => {
                assert!(json.len() <= ANSWER_BYTES_MAX, "{} bytes", json.len());
                parts.push(batch);
            }
            Frame::Protocol(..) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(joined(&parts, last), 30, "a resume");

    socket.send_text(&format!(r#"{{"type":"repair","after":0,"before":{}}}"#, last + 1)).await;
    let repair = socket.next_batch().await;
    assert!(repair.repair.is_some() && repair.sequence.0 < last && !repair.messages.is_empty());

    let (mut parts, mut after) = (Vec::<Batch>::new(), 0);
    while after < last {
        let path = format!("/v1/rooms/demo/poll?after={after}&wait_secs=0");
        let mut poll = RawHttp::get(member.address, &path, None).await;
        poll.read_to_end().await;
        assert!(poll.body().len() <= ANSWER_BYTES_MAX);
        let ServerFrame::Batch(batch) = ServerFrame::parse(poll.body().as_bytes()).unwrap() else { panic!() };
        after = batch.sequence.0;
        parts.push(batch);
    }
    assert_eq!(joined(&parts, last), 30, "polls");

    let mut stream = RawHttp::get(member.address, "/v1/rooms/demo/sse?after=0", None).await;
    stream.until(&format!("id: {last}\n")).await;
    let end = fleet.gift("end").await;
    stream.until(&format!("id: {end}\n")).await;
    stream.until("\"end\"").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(joined(&frames(&stream.text), end), 31, "an event stream");
}

/// A viewer never reads, in a hot room of large gifts. Gifts are never dropped, so the viewer is
/// closed before more than the bound is queued.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_than_the_hard_bound_is_queued_for_a_viewer() {
    let _alone = ALONE.lock().await;
    let fleet = Fleet::new().await;
    let member = fleet.start(GatewayConfig::default()).await;
    let _silent = RawSocket::joined(member.address, "demo").await;
    let mut most = 0;
    for _ in 0..80 {
        fill(&fleet, Class::Gift, 1).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        most = most.max(member.metric("barrage_gateway_backlog_bytes"));
    }
    assert!(most > 64 * 1024, "the viewer fell behind: {most}");
    assert!(most <= 256 * 1024, "{most}");
    fleet::until(|| member.viewers() == 0).await;
}

/// Measures the memory of the whole process, so no other test runs in it.
mod memory {
    use super::*;

    fn resident_bytes() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }

    /// Opens clients of one kind that never read; returns the growth of memory in bytes.
    async fn cost<C, F: Future<Output = C>>(
        member: &Member,
        open: impl Fn(SocketAddr) -> F,
    ) -> (usize, Vec<C>) {
        let before = resident_bytes();
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            clients.push(open(member.address).await);
        }
        let (until, mut most) = (Instant::now() + Duration::from_secs(5), 0);
        while Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(100)).await;
            most = most.max(resident_bytes());
        }
        (most.saturating_sub(before), clients)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_thousand_clients_that_never_read_cost_at_most_64_mib() {
        const GROWTH_MAX: usize = 64 << 20;
        let _alone = ALONE.lock().await;
        let fleet = Fleet::new().await;
        let member = fleet.start(GatewayConfig::default()).await;
        fill(&fleet, Class::Gift, 300).await;
        // First requests allocate memory that later ones share.
        drop(cost(&member, |address| RawSocket::join(address, "demo", None, Some(0))).await);
        fleet::until(|| member.viewers() == 0).await;

        let (grown, polls) =
            cost(&member, |address| RawHttp::get(address, "/v1/rooms/demo/poll?after=0", None)).await;
        assert!(grown <= GROWTH_MAX, "polls: {grown}");
        drop(polls);
        let (grown, streams) =
            cost(&member, |address| RawHttp::get(address, "/v1/rooms/demo/sse?after=0", None)).await;
        assert!(grown <= GROWTH_MAX, "event streams: {grown}");
        let gone = Instant::now();
        fleet::until(|| member.viewers() == 0).await;
        assert!(gone.elapsed() < Duration::from_secs(20), "event streams: {:?}", gone.elapsed());
        drop(streams);
        let (grown, sockets) = cost(&member, |address| RawSocket::join(address, "demo", None, Some(0))).await;
        assert!(grown <= GROWTH_MAX, "WebSockets: {grown}");
        let gone = Instant::now();
        fleet::until(|| member.viewers() == 0).await;
        assert!(gone.elapsed() < Duration::from_secs(20), "WebSockets: {:?}", gone.elapsed());
        assert_eq!(member.metric_of("barrage_gateway_closes_total", &["slow_viewer"]), CLIENTS as u64);
        drop(sockets);
    }
}
