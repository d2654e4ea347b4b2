//! Drains between real gateways: viewers move, miss nothing, and see nothing twice.

use std::time::{Duration, Instant};

use crate::fleet::{Fleet, Member, Seen, until};
use barrage_gateway::GatewayConfig;
use barrage_protocol::entry::Transport;
use barrage_testkit::RawSocket;
use barrage_token::Role;
use http::{Method, StatusCode};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const JOINS: &str = "barrage_gateway_joins_total";

fn gateway(id: &str, joins_per_s: u32) -> GatewayConfig {
    GatewayConfig {
        id: id.into(),
        joins_per_s,
        joins_wait_ms_max: 5_000,
        drain_secs: 1,
        ..GatewayConfig::default()
    }
}

/// Starts viewers that all join this gateway.
async fn join_viewers(fleet: &Fleet, at: &Member, count: u64, transport: Transport) -> Vec<JoinHandle<Seen>> {
    let before = at.metric(JOINS);
    let viewers = (0..count).map(|_| fleet.viewer(transport)).collect();
    until(|| at.metric(JOINS) == before + count).await;
    viewers
}

/// Publishes fifty gifts a second until stopped, and then a last one. Returns their sequences.
async fn give(fleet: &Fleet, stop: CancellationToken) -> Vec<u64> {
    let mut given = Vec::new();
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    while !stop.is_cancelled() {
        tick.tick().await;
        given.push(fleet.gift("g").await);
    }
    given.push(fleet.gift("last").await);
    given
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_drain_keeps_the_viewers_that_were_not_notified() {
    const VIEWERS: u64 = 100;
    let fleet = Fleet::new().await;
    let a = fleet.start(gateway("a", 2_000)).await;
    let _viewers = join_viewers(&fleet, &a, VIEWERS, Transport::Ws).await;
    let b = fleet.start(gateway("b", 2_000)).await;
    let (status, _) = a.admin(Method::POST, "/v1/admin/drain", r#"{"within_secs":30}"#).await;
    assert_eq!(status, StatusCode::OK);
    until(|| fleet.bus.gateways().iter().any(|gateway| gateway.report.draining)).await;
    until(|| b.viewers() >= 5).await;
    let (status, state) = a.admin(Method::DELETE, "/v1/admin/drain", "").await;
    assert_eq!((status, &state["draining"], &state["cause"]), (StatusCode::OK, &false.into(), &Value::Null));
    until(|| fleet.bus.gateways().iter().all(|gateway| !gateway.report.draining)).await;
    let mut newcomer = RawSocket::join(a.address, "demo", None, None).await;
    assert!(matches!(newcomer.next().await, barrage_testkit::Frame::Protocol(..)));
    // No other viewer is notified, although its turn would have come. The viewers that were
    // notified last may have joined this gateway again.
    let notified = a.metric("barrage_gateway_viewers_moved_total");
    assert!((5..50).contains(&notified), "{notified}");
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    assert_eq!(a.metric("barrage_gateway_viewers_moved_total"), notified);
    assert_eq!(a.viewers() + b.viewers(), VIEWERS + 1);
    assert!((5..=notified).contains(&b.viewers()), "{} of {notified}", b.viewers());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_is_given_back_and_the_gateway_stays_open() {
    const VIEWERS: u64 = 200;
    let fleet = Fleet::new().await;
    let a = fleet.start(gateway("a", 2_000)).await;
    let viewers = join_viewers(&fleet, &a, VIEWERS, Transport::Ws).await;
    let give_back = async |body: &str| a.admin(Method::POST, "/v1/admin/give-back", body).await;
    assert_eq!(give_back(r#"{"share":0.25}"#).await.0, StatusCode::CONFLICT, "there is no peer");
    let b = fleet.start(gateway("b", 2_000)).await;
    for bad in ["", "{}", r#"{"share":0}"#, r#"{"share":1.5}"#, r#"{"share":-1}"#, r#"{"share":0.5,"x":1}"#] {
        assert_eq!(give_back(bad).await.0, StatusCode::BAD_REQUEST, "{bad}");
    }
    let stop = CancellationToken::new();
    let work = async {
        let (status, state) = give_back(r#"{"share":0.25}"#).await;
        assert_eq!((status, &state["draining"]), (StatusCode::OK, &false.into()));
        // Entry still names `a` first: the frame named `b`.
        until(|| a.metric("barrage_gateway_viewers_moved_total") >= 49).await;
        until(|| a.viewers() + b.viewers() == VIEWERS && (49..=51).contains(&b.viewers())).await;
        // Viewers that have just arrived stay, and do not keep the others from moving.
        assert_eq!(b.admin(Method::POST, "/v1/admin/give-back", r#"{"share":1}"#).await.0, StatusCode::OK);
        assert_eq!(give_back(r#"{"share":0.5}"#).await.0, StatusCode::OK);
        until(|| a.viewers() + b.viewers() == VIEWERS && (123..=127).contains(&b.viewers())).await;
        assert_eq!(b.metric("barrage_gateway_viewers_moved_total"), 0);
        stop.cancel();
    };
    let (given, ()) = tokio::join!(give(&fleet, stop.clone()), work);
    for viewer in viewers {
        let seen = viewer.await.unwrap();
        assert_eq!((seen.breaks, &seen.gifts), (0, &given));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn event_streams_that_have_just_arrived_are_not_given_back() {
    let fleet = Fleet::new().await;
    let a = fleet.start(gateway("a", 2_000)).await;
    let mut viewers = join_viewers(&fleet, &a, 20, Transport::Sse).await;
    let b = fleet.start(gateway("b", 2_000)).await;
    let everybody = async |from: &Member| {
        let given = from.admin(Method::POST, "/v1/admin/give-back", r#"{"share":1}"#).await;
        assert_eq!(given.0, StatusCode::OK);
    };
    let stop = CancellationToken::new();
    let work = async {
        everybody(&a).await;
        until(|| (a.viewers(), b.viewers()) == (0, 20)).await;
        // Entry names `a` first, so these are new there; `b` is asked before `a`.
        viewers.extend(join_viewers(&fleet, &a, 20, Transport::Sse).await);
        everybody(&b).await;
        everybody(&a).await;
        until(|| (a.viewers(), b.viewers()) == (0, 40)).await;
        assert_eq!(b.metric("barrage_gateway_viewers_moved_total"), 0);
        stop.cancel();
    };
    let (given, ()) = tokio::join!(give(&fleet, stop.clone()), work);
    for (n, viewer) in viewers.into_iter().enumerate() {
        let seen = viewer.await.unwrap();
        assert_eq!((seen.hellos, seen.breaks), (2, 0));
        // The later half joined while gifts were published.
        let misses_none = if n < 20 { seen.gifts == given } else { given.ends_with(&seen.gifts) };
        assert!(misses_none && !seen.gifts.is_empty(), "{n}: {:?} of {given:?}", seen.gifts);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_moves_all_viewers_before_the_gateway_ends() {
    let fleet = Fleet::new().await;
    let a = fleet.start(GatewayConfig { drain_secs: 4, ..gateway("a", 2_000) }).await;
    let mut viewers = join_viewers(&fleet, &a, 60, Transport::Ws).await;
    viewers.extend(join_viewers(&fleet, &a, 10, Transport::Sse).await);
    let b = fleet.start(gateway("b", 2_000)).await;
    let stop = CancellationToken::new();
    let work = async {
        a.shutdown.cancel();
        a.running.await.unwrap().unwrap();
        until(|| b.viewers() == 70).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop.cancel();
    };
    let (given, ()) = tokio::join!(give(&fleet, stop.clone()), work);
    for viewer in viewers {
        let seen = viewer.await.unwrap();
        assert_eq!((seen.hellos, seen.breaks), (2, 0));
        assert_eq!(seen.gifts, given);
    }
}

#[tokio::test]
async fn drains_require_the_admin_role() {
    let fleet = Fleet::new().await;
    let a = fleet.start(gateway("a", 100)).await;
    let host = fleet.token(Role::Host);
    for (method, path, body) in [
        (Method::GET, "/v1/admin/drain", ""),
        (Method::POST, "/v1/admin/drain", ""),
        (Method::DELETE, "/v1/admin/drain", ""),
        (Method::POST, "/v1/admin/give-back", r#"{"share":0.5}"#),
    ] {
        assert_eq!(a.admin_as(&host, method.clone(), path, body).await.0, StatusCode::FORBIDDEN);
        assert_eq!(a.admin_as("", method, path, body).await.0, StatusCode::UNAUTHORIZED);
    }
    for bad in [r#"{"within_secs":0}"#, r#"{"within_secs":3601}"#, r#"{"within":1}"#, "x"] {
        assert_eq!(a.admin(Method::POST, "/v1/admin/drain", bad).await.0, StatusCode::BAD_REQUEST, "{bad}");
    }
    let (_, state) = a.admin(Method::GET, "/v1/admin/drain", "").await;
    assert_eq!((&state["draining"], &state["ends_in_ms"]), (&false.into(), &Value::Null));
}

/// Measures rates, so it must run alone.
mod alone {
    use super::*;

    /// Returns the highest rate of joins over any second.
    async fn joins_per_s_peak(at: &Member, stop: CancellationToken) -> f64 {
        let (mut counts, mut peak) = (Vec::new(), 0.0_f64);
        while !stop.is_cancelled() {
            let now = Instant::now();
            counts.push((now, at.metric(JOINS)));
            let newest = counts[counts.len() - 1].1;
            let second_ago = counts.iter().rev().find(|(at, _)| now - *at >= Duration::from_secs(1));
            let (at, before) = *second_ago.unwrap_or(&counts[0]);
            peak = peak.max((newest - before) as f64 / (now - at).as_secs_f64().max(1.0));
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        peak
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn five_hundred_viewers_move_at_the_pace_of_the_peer() {
        const VIEWERS: u64 = 500;
        const JOINS_PER_S: u32 = 250;
        let fleet = Fleet::new().await;
        let a = fleet.start(gateway("a", 2_000)).await;
        let viewers = join_viewers(&fleet, &a, VIEWERS, Transport::Ws).await;
        // A second's joins may wait there: notified at once, half of the viewers would be refused.
        let b = fleet.start(GatewayConfig { joins_wait_ms_max: 1_000, ..gateway("b", JOINS_PER_S) }).await;
        let stop = CancellationToken::new();
        let work = async {
            let (status, state) = a.admin(Method::POST, "/v1/admin/drain", "").await;
            assert_eq!(
                (status, &state["draining"], &state["cause"]),
                (StatusCode::OK, &true.into(), &"drain".into())
            );
            let begun = Instant::now();
            let refused = RawSocket::connect(a.address, "/v1/rooms/demo/ws", &[]).await;
            assert_eq!(refused.unwrap_err(), 503);
            until(|| a.viewers() == 0 && b.viewers() == VIEWERS).await;
            let took = begun.elapsed();
            tokio::time::sleep(Duration::from_millis(100)).await;
            stop.cancel();
            took
        };
        let (given, peak, took) =
            tokio::join!(give(&fleet, stop.clone()), joins_per_s_peak(&b, stop.clone()), work);
        for viewer in viewers {
            let seen = viewer.await.unwrap();
            assert_eq!((seen.hellos, seen.breaks), (2, 0), "one move, and no break");
            assert_eq!(seen.gifts, given);
        }
        println!(
            "{VIEWERS} viewers moved in {took:?}; {peak:.0} joins in the busiest second, limit {JOINS_PER_S}; {} gifts",
            given.len()
        );
        // A join is counted a moment after its slot: a thread that is late by 40 ms counts ten joins
        // of the second before.
        assert!(peak <= f64::from(JOINS_PER_S) * 1.1, "{peak}");
        assert_eq!(b.metric("barrage_gateway_joins_refused_total"), 0);
        // 0.8 of the peer's joins: 2.5 s, and not at once.
        assert!((Duration::from_millis(2_200)..Duration::from_secs(30)).contains(&took), "{took:?}");
        assert_eq!(a.metric("barrage_gateway_viewers_moved_total"), VIEWERS);
        let (_, state) = a.admin(Method::GET, "/v1/admin/drain", "").await;
        assert_eq!((&state["viewers"], &state["draining"]), (&0.into(), &true.into()));
    }
}
