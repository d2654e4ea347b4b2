//! Rows 9 and 10: Redis and NATS are away, silent, slow or cut off.

use std::net::Ipv4Addr;
use std::ops::Range;
use std::time::Duration;

use crate::cause::{Partition, Shaper, Shaping};
use crate::crowd::{Drill, Load, Played, gauge, play};
use crate::figure::{Bound, Figure};
use crate::run::Run;
use crate::site::{Site, SiteOptions};

/// Chat of a room that its viewers get, in messages a second; the writer posts three times as much.
const QUOTA_PER_S: u64 = 40;
/// Time after the begin of a fault within which an uplink falls back to its share.
const FALLBACK_MS: u32 = 1_000;

/// Row 9: uplinks count by themselves while Redis is away, and no post waits for it.
pub(super) async fn redis(run: Run) -> Vec<Figure> {
    let quota = QUOTA_PER_S.to_string();
    let options = SiteOptions::cluster(2).set("UPLINK__LIMITS__ROOM_DISPLAY_CHAT_PER_S", &quota);
    let mut site = Site::start(&run, &options).await;
    let port = site.process("redis").recipe.address.port();
    let phase = run.pick(4.0, 15.0);
    let mut phases: Vec<(&str, Range<u32>)> = Vec::new();
    let mut load = Load::new(1, run.viewers(20, 100), run.secs(24, 80)).rates(10, 3 * QUOTA_PER_S);
    load.role = "viewer";
    let played = play(&mut site, load, async |drill: &mut Drill<'_>| {
        // The shared sample needs a moment to measure the rate.
        drill.rest(3.0).await;
        for fault in ["present", "killed", "stopped", "late by 200 ms"] {
            let from_ms = drill.records.now_ms();
            let redis = drill.site.process("redis");
            let mut shaper = None;
            match fault {
                "killed" => redis.kill(),
                "stopped" => redis.pause(),
                "late by 200 ms" => {
                    let shaping = Shaping { port, delay: Duration::from_millis(100), loss: 0.0 };
                    shaper = Some(Shaper::start(1, run.seed, &[shaping]));
                }
                _ => {}
            }
            drill.rest(phase).await;
            drop(shaper);
            phases.push((fault, from_ms + FALLBACK_MS..drill.records.now_ms()));
            match fault {
                "killed" => drill.site.process("redis").restart().await,
                "stopped" => drill.site.process("redis").resume(),
                _ => {}
            }
            drill.rest(1.0).await;
        }
    })
    .await;
    let mut figures = Vec::new();
    for (fault, span) in &phases {
        let share = 100.0 * played.chats_shown_per_s(span.clone()) / QUOTA_PER_S as f64;
        let bound = Bound::Within(80.0, 120.0);
        figures.push(Figure::new(format!("chat shown of its quota, Redis {fault}"), share, "%", bound));
    }
    let p99_ms = |span: &Range<u32>| f64::from(played.records.post_percentile_ms(span.clone(), 0.99));
    let base_ms = p99_ms(&phases[0].1);
    figures.push(Figure::new("post p99, Redis present", base_ms, "ms", Bound::Free));
    for (fault, span) in &phases[1..] {
        // Half of the cores belongs to the viewers: 5 ms, the target, is within the noise of a short run.
        let bound = Bound::AtMost(run.pick(100.0, 25.0));
        let more_ms = p99_ms(span) - base_ms;
        figures.push(Figure::new(format!("more post p99, Redis {fault}"), more_ms, "ms", bound));
    }
    let held = played.records.held.load(std::sync::atomic::Ordering::Relaxed);
    figures.push(Figure::some("posts held for the quota", held));
    figures.extend(played.figures());
    figures
}

/// Address of loopback by which gateway-1 alone reaches NATS.
const OTHER_WAY: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 1);

/// Row 10: one gateway is cut off from NATS, then NATS is killed. No process restarts for it.
pub(super) async fn nats(run: Run) -> Vec<Figure> {
    let (away_s, mut site) = (run.pick(6.0, 20.0), cut_site(&run).await);
    let (mut unhealthy, mut looks) = (0, 0);
    let load = Load::new(3, run.viewers(40, 100), run.secs(20, 60));
    let played = play(&mut site, load, async |drill: &mut Drill<'_>| {
        drill.rest(3.0).await;
        let from_ms = drill.records.now_ms();
        let partition = Partition::of(OTHER_WAY);
        let began = barrage_clock::now();
        while began.elapsed().as_secs_f64() < away_s {
            looks += 1;
            unhealthy += u64::from(!is_healthy(drill, "gateway-1").await);
            drill.rest(1.0).await;
        }
        drop(partition);
        drill.note("partition of gateway-1 and NATS".into(), from_ms);
        drill.rest(4.0).await;
        drill.kill("nats-1", Duration::from_secs(2)).await;
    })
    .await;
    let mut figures = vec![
        Figure::some("looks at the health of the gateway", looks),
        Figure::none("looks that found it dead", unhealthy),
        silence(&played, away_s),
    ];
    figures.extend(played.figures());
    figures
}

/// Starts a cluster whose first gateway has an own way to NATS.
async fn cut_site(run: &Run) -> Site {
    let mut options = SiteOptions::cluster(2);
    options.nats_ways.push(("gateway-1".into(), OTHER_WAY));
    Site::start(run, &options).await
}

async fn is_healthy(drill: &Drill<'_>, name: &str) -> bool {
    let (_, admin) = drill.site.admins.iter().find(|(process, _)| process == name).unwrap();
    let answer = reqwest::get(format!("http://{admin}/healthz")).await;
    answer.is_ok_and(|answer| answer.status().is_success())
        && gauge(*admin, "barrage_gateway_connections").await.is_some()
}

fn silence(played: &Played, away_s: f64) -> Figure {
    let more_s = played.silence_max_s() - away_s;
    Figure::new("silence of a viewer beyond the partition", more_s, "s", Bound::AtMost(2.0))
}
