//! Rows 5, 11 and 19: one server under overload, on a lossy network, and with a stepped clock.

use std::time::Duration;

use barrage_testkit::{Toxic, ToxicProxy};

use crate::cause::{Shaper, Shaping, WallClock};
use crate::crowd::{Drill, Load, gauge, play};
use crate::figure::{Bound, Figure};
use crate::run::Run;
use crate::site::{EMBEDDED, Site, SiteOptions};
use crate::vitals::Vitals;

/// Bytes a second to viewers that the overloaded server may send.
const EGRESS_BYTES_PER_S: u64 = 200_000;

/// Row 5: more chat than the server may send. Gifts pass in time, chat is thinned, memory stays.
pub(super) async fn overload(run: Run) -> Vec<Figure> {
    let egress = EGRESS_BYTES_PER_S.to_string();
    let options = SiteOptions::embedded().set("GATEWAY__EGRESS_BYTES_PER_S", &egress);
    let mut site = Site::start(&run, &options).await;
    let admin = site.admins[0].1;
    let process = site.process(EMBEDDED).id();
    let (mut level, mut grown, mut calm_s) = (0.0_f64, 0.0, f64::NAN);
    let load = Load::new(1, run.viewers(100, 300), run.secs(16, 60)).rates(20, run.pick(600, 1_000));
    let played = play(&mut site, load, async |drill: &mut Drill<'_>| {
        drill.rest(10.0).await;
        let before = Vitals::of(process);
        while drill.is_posting() {
            level = level.max(gauge(admin, "barrage_gateway_overload_level").await.unwrap_or(0.0));
            drill.rest(0.2).await;
        }
        grown = Vitals::of(process).resident_bytes - before.resident_bytes;
        let began = barrage_clock::now();
        while calm_s.is_nan() && began.elapsed() < Duration::from_secs(60) {
            if gauge(admin, "barrage_gateway_overload_level").await == Some(0.0) {
                calm_s = began.elapsed().as_secs_f64();
            }
            drill.rest(0.2).await;
        }
    })
    .await;
    let left_out: u64 = played.seen.iter().map(|seen| seen.left_out).sum();
    let mut figures = vec![
        Figure::new("highest level of overload", level, "", Bound::AtLeast(3.0)),
        Figure::some("chat messages reported as dropped", left_out),
        Figure::new("gift delay p99", played.judgement.gift_delay_p99_s, "s", Bound::AtMost(1.0)),
        Figure::new("memory grown after 10 s", grown / 1_048_576.0, "MiB", Bound::AtMost(32.0)),
        Figure::new("end of the overload after the load", calm_s, "s", Bound::AtMost(60.0)),
    ];
    figures.extend(played.figures());
    figures
}

/// Row 11: each packet is 50 ms late, and one in twenty is lost, in both directions.
pub(super) async fn lossy(run: Run) -> Vec<Figure> {
    let mut site = Site::start(&run, &SiteOptions::embedded()).await;
    let port = site.process(EMBEDDED).recipe.address.port();
    let shaping = Shaping { port, delay: Duration::from_millis(50), loss: 0.05 };
    let load = Load::new(10, run.viewers(100, 200), run.secs(18, 300));
    let played = play(&mut site, load, async |drill: &mut Drill<'_>| {
        let _shaper = Shaper::start(2, run.seed, &[shaping]);
        while drill.is_posting() {
            drill.rest(0.1).await;
        }
        drill.rest(2.0).await;
    })
    .await;
    let mut figures = vec![
        Figure::new("chat delay p99", played.judgement.chat_delay_p99_s, "s", Bound::AtMost(1.5)),
        Figure::new("gift delay p99", played.judgement.gift_delay_p99_s, "s", Bound::AtMost(1.5)),
        Figure::none("connections that ended", played.breaks()),
    ];
    figures.extend(played.figures());
    figures
}

/// Row 11: the connections of viewers go through a proxy that treats them badly; posts do not.
pub(super) async fn toxics(run: Run) -> Vec<Figure> {
    let proxy = ToxicProxy::start().await;
    let urls = format!("[\"http://{}\"]", proxy.address);
    let mut site = Site::start(&run, &SiteOptions::embedded().set("GATEWAY__BASE_URLS", &urls)).await;
    proxy.connect_to(site.process(EMBEDDED).recipe.address);
    let phase_s = run.pick(3.0, 10.0);
    let load = Load::new(3, run.viewers(30, 100), run.secs(21, 60));
    let played = play(&mut site, load, async |drill: &mut Drill<'_>| {
        let toxics = [
            Toxic::Latency(Duration::from_millis(100)),
            Toxic::Bandwidth(64 * 1_024),
            Toxic::Slice(3),
            Toxic::Blackhole,
            Toxic::CutAfter(2_000),
        ];
        for toxic in toxics {
            let from_ms = drill.records.now_ms();
            proxy.set(toxic);
            drill.rest(phase_s).await;
            proxy.set(Toxic::Pass);
            if matches!(toxic, Toxic::Blackhole | Toxic::CutAfter(_)) {
                // What was swallowed is missing in the middle of a frame.
                proxy.cut();
                drill.note(format!("{toxic:?}"), from_ms);
            }
            drill.rest(1.0).await;
        }
    })
    .await;
    let mut figures = vec![Figure::some("connections that ended", played.breaks())];
    figures.extend(played.figures());
    figures
}

/// Row 19: the wall clock jumps by an hour in both directions, and by a minute back.
pub(super) async fn clocks(run: Run) -> Vec<Figure> {
    let clock = WallClock::new();
    let mut site = Site::start(&run, &SiteOptions::embedded().wrap(EMBEDDED, clock.wrap())).await;
    let rest_s = run.pick(4.0, 12.0);
    let load = Load::new(3, run.viewers(30, 100), run.secs(17, 60));
    let played = play(&mut site, load, async |drill: &mut Drill<'_>| {
        for offset in ["+3600", "-3600", "-3660", "+0"] {
            drill.rest(rest_s).await;
            clock.step_to(offset);
        }
    })
    .await;
    let failed = played.records.posts_failed.load(std::sync::atomic::Ordering::Relaxed);
    let mut figures = vec![
        Figure::none("connections that ended", played.breaks()),
        Figure::none("posts that failed", failed),
        Figure::new("chat delay p99", played.judgement.chat_delay_p99_s, "s", Bound::AtMost(1.0)),
    ];
    figures.extend(played.figures());
    figures
}
