//! Row 20: a long mixed load with churn; memory does not creep, and everything returns to its baseline.

use std::net::SocketAddr;
use std::time::Duration;

use barrage_protocol::RoomId;
use barrage_testkit::RawSocket;

use crate::crowd::{Drill, Load, gauge, play};
use crate::figure::{Bound, Figure};
use crate::run::Run;
use crate::site::{EMBEDDED, Site, SiteOptions};
use crate::vitals::{Vitals, slope};

/// Viewers that come and go each second, beside those that stay.
const CHURN_PER_S: u32 = 100;
/// Idle time after the load: rooms are left 30 s after their last viewer.
const IDLE: Duration = Duration::from_secs(40);
/// Counts that must return to what they were before the load.
const COUNTS: [&str; 3] =
    ["barrage_gateway_connections", "barrage_gateway_rooms", "barrage_gateway_backlog_bytes"];

/// Row 20, in the form of ten minutes; `--minutes 120` is the long one.
pub(super) async fn soak(run: Run) -> Vec<Figure> {
    let mut site = Site::start(&run, &SiteOptions::embedded()).await;
    let (process, address) = (site.process(EMBEDDED).id(), site.process(EMBEDDED).recipe.address);
    let admin = site.admins[0].1;
    // The first load opens what stays open: caches, connections of the store, files of the log.
    // Without gifts: their ids would be remembered, and the same gifts later be duplicates.
    play(&mut site, Load::new(3, 30, 10).rates(0, 60), async |_: &mut Drill<'_>| {}).await;
    tokio::time::sleep(IDLE).await;
    let (base, base_counts) = (Vitals::of(process), counts(admin).await);
    let mut resident = Vec::new();
    let secs = run.secs(60, 600);
    let played =
        play(&mut site, Load::new(10, run.viewers(100, 300), secs), async |drill: &mut Drill<'_>| {
            let began = barrage_clock::now();
            let mut tick = tokio::time::interval(Duration::from_secs(1) / CHURN_PER_S);
            let mut sampled_s = 0;
            while drill.is_posting() {
                tick.tick().await;
                let room = Load::room(sampled_s as usize % 10);
                tokio::spawn(come_and_go(address, room));
                if began.elapsed().as_secs() > sampled_s {
                    sampled_s = began.elapsed().as_secs();
                    let mib = Vitals::of(process).resident_bytes / 1_048_576.0;
                    resident.push((sampled_s as f64 / 60.0, mib));
                }
            }
        })
        .await;
    tokio::time::sleep(IDLE).await;
    let (after, after_counts) = (Vitals::of(process), counts(admin).await);
    let second_half = &resident[resident.len() / 2..];
    let mut figures = vec![
        Figure::new("memory slope of the second half", slope(second_half), "MiB/min", Bound::AtMost(0.1)),
        Figure::new("memory at the end", resident.last().map_or(f64::NAN, |it| it.1), "MiB", Bound::Free),
        Figure::new(
            "descriptors beyond the baseline",
            after.descriptors as f64 - base.descriptors as f64,
            "",
            Bound::AtMost(0.0),
        ),
    ];
    for ((name, before), after) in COUNTS.iter().zip(base_counts).zip(after_counts) {
        figures.push(Figure::new(*name, after, "", Bound::Exactly(before)));
    }
    figures.extend(played.figures());
    figures
}

/// Joins a room and leaves it behind the hello. A server under load may refuse the handshake.
async fn come_and_go(address: SocketAddr, room: RoomId) {
    if let Ok(mut socket) = RawSocket::connect(address, &format!("/v1/rooms/{room}/ws"), &[]).await {
        socket.send_text(r#"{"type":"join"}"#).await;
        socket.next().await;
    }
}

async fn counts(admin: SocketAddr) -> [f64; COUNTS.len()] {
    let mut values = [0.0; COUNTS.len()];
    for (value, name) in values.iter_mut().zip(COUNTS) {
        *value = gauge(admin, name).await.unwrap();
    }
    values
}
