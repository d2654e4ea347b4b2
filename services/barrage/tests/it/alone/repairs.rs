//! Viewers that repair all the time, beside others of the same room.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use barrage_protocol::Class;
use barrage_testkit::{Frame, RawSocket};
use tokio::sync::{mpsc, watch as signal};
use tokio::task::JoinSet;

use super::lock;
use super::overload::{chat_for, typical_p99_ms, watch};
use crate::strangers::fill;
use crate::support::start_with;

/// Asks for the whole room 15 times a second while the signal is on, and reads the answers.
/// Joins again when the gateway closes the connection.
async fn repair_greedily(address: SocketAddr, on: signal::Receiver<bool>) {
    const PAUSE: Duration = Duration::from_millis(66);
    loop {
        let mut socket = RawSocket::joined(address, "demo").await;
        loop {
            if *on.borrow() {
                socket.send_text(r#"{"type":"repair","after":0,"before":1001}"#).await;
            }
            let end = Instant::now() + PAUSE;
            let mut is_open = true;
            while is_open && Instant::now() < end {
                let frame = socket.next_within(end.saturating_duration_since(Instant::now())).await;
                is_open = !matches!(frame, Some(Frame::End | Frame::Close(_)));
            }
            if !is_open {
                tokio::time::sleep(Duration::from_secs(1)).await;
                break;
            }
        }
    }
}

/// The bound is coarse, because the tests run on any machine; the test prints both figures.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_viewers_that_repair_all_the_time_do_not_delay_the_others() {
    const VIEWERS: usize = 300;
    const REPAIRERS: usize = 8;
    let _alone = lock().await;
    let server = start_with(&[]).await;
    fill(&server).await;
    let token = server.token("m1", "demo", "moderator").await;
    let (delays_in, mut delays) = mpsc::channel(1_000_000);
    for _ in 0..VIEWERS {
        let socket = RawSocket::joined(server.public, "demo").await;
        tokio::spawn(watch(socket, Class::Chat, delays_in.clone()));
    }
    let (switch, on) = signal::channel(false);
    let mut repairers = JoinSet::new();
    for _ in 0..REPAIRERS {
        repairers.spawn(repair_greedily(server.public, on.clone()));
    }
    let (mut without, mut with) = (Vec::new(), Vec::new());
    // By turns: the machine changes its speed within seconds.
    for round in 0..3 {
        switch.send_replace(false);
        without.extend(chat_for(&server, &token, &format!("a{round}x"), 2, &mut delays).await);
        switch.send_replace(true);
        with.extend(chat_for(&server, &token, &format!("b{round}x"), 2, &mut delays).await);
    }
    let (without, with) = (typical_p99_ms(without), typical_p99_ms(with));
    eprintln!("p99 of {VIEWERS} viewers: {without} ms, beside {REPAIRERS} repairers {with} ms");
    assert!(with <= without * 2 + 50, "p99 of {without} ms without repairers and {with} ms with them");
}
