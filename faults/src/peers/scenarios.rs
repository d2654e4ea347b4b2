//! Rows 1, 5, 7 and 12 on nchan, with the loads and faults of Barrage's own scenarios.

use std::time::Duration;

use barrage_testkit::process::signal;
use barrage_testkit::{process, wait};
use rand::RngExt;

use super::drill::{Drill, figures, play};
use super::nchan::{Keeper, Nchan};
use super::viewer::Pace;
use crate::crowd::Load;
use crate::figure::{Bound, Figure};
use crate::run::Run;
use crate::vitals::Vitals;

/// Bytes a second that all viewers of the overloaded server read together, as many as Barrage may send there.
const EGRESS_BYTES_PER_S: u32 = 200_000;
/// Longest wait for the end of a server that was asked to stop.
const DRAIN_MAX: Duration = Duration::from_secs(30);

/// Row 1: kills and stops of random processes, first with the messages in memory, then with two servers on a Redis.
pub async fn chaos(run: Run) -> Vec<Figure> {
    let mut all = Vec::new();
    for keeper in [Keeper::Memory, Keeper::Redis] {
        let mut nchan = Nchan::start(keeper).await;
        let viewers = run.viewers(60, 2_000);
        let load = Load::new((viewers / 20).max(3), viewers, run.secs(20, 180));
        let mut chance = run.chance();
        let load = load.rates(run.pick(20, 200), run.pick(60, 1_000));
        let played = play(&mut nchan, load, Pace::Fast, async |drill: &mut Drill<'_>| {
            while drill.is_posting() {
                drill.rest(chance.random_range(1.5..4.0)).await;
                let victim = chance.random_range(0..drill.nchan.processes.len());
                let away = Duration::from_millis(chance.random_range(200..1_500));
                if chance.random_bool(0.5) {
                    drill.kill(victim, away).await;
                } else {
                    drill.pause(victim, Duration::from_secs(3)).await;
                }
            }
        })
        .await;
        let named = |figure: Figure| Figure { name: format!("{keeper:?}: {}", figure.name), ..figure };
        all.push(named(Figure::some("faults", played.faults.len() as u64)));
        all.extend(figures(&nchan, &played).into_iter().map(named));
    }
    all
}

/// Row 5: viewers read as much as Barrage's egress limit lets them have there.
pub async fn overload(run: Run) -> Vec<Figure> {
    let mut nchan = Nchan::start(Keeper::Memory).await;
    let viewers = run.viewers(100, 300);
    let load = Load::new(1, viewers, run.secs(16, 60)).rates(20, run.pick(600, 1_000));
    let pace = Pace::BytesPerS(EGRESS_BYTES_PER_S / u32::try_from(viewers).unwrap());
    let mut grown = 0.0;
    let played = play(&mut nchan, load, pace, async |drill: &mut Drill<'_>| {
        drill.rest(10.0).await;
        let before = resident_bytes(drill.nchan);
        while drill.is_posting() {
            drill.rest(0.2).await;
        }
        grown = resident_bytes(drill.nchan) - before;
    })
    .await;
    let mut all = vec![Figure::new("memory grown after 10 s", grown / 1_048_576.0, "MiB", Bound::Free)];
    all.extend(figures(&nchan, &played));
    all
}

/// Resident memory of the first server's processes.
fn resident_bytes(nchan: &Nchan) -> f64 {
    let master = nchan.processes[0].id();
    let workers = process::children(&master.to_string()).into_iter().map(|id| id.parse().unwrap());
    std::iter::once(master).chain(workers).map(|id| Vitals::of(id).resident_bytes).sum()
}

/// Row 7: one of two servers dies with half of the viewers.
pub async fn storm(run: Run) -> Vec<Figure> {
    let mut nchan = Nchan::start(Keeper::Redis).await;
    let viewers = run.viewers(300, 2_000);
    let load = Load::new((viewers / 100).max(1), viewers, run.secs(16, 30)).rates(10, 20);
    let mut from_ms = 0;
    let played = play(&mut nchan, load, Pace::Fast, async |drill: &mut Drill<'_>| {
        drill.rest(2.0).await;
        from_ms = drill.records.now_ms();
        drill.nchan.processes[0].kill();
    })
    .await;
    let back_ms = played.back_ms(from_ms);
    let at = |index: usize| f64::from(back_ms.get(index).copied().unwrap_or(0)) / 1_000.0;
    let mut all = vec![
        Figure::some("viewers whose server died", back_ms.len() as u64),
        Figure::new("half of them back", at(back_ms.len() / 2), "s", Bound::Free),
        Figure::new("all of them back", at(back_ms.len().saturating_sub(1)), "s", Bound::Free),
        Figure::new("peak of joins in a second", played.peak_joins_per_s(from_ms) as f64, "", Bound::Free),
    ];
    all.extend(figures(&nchan, &played));
    all
}

/// Row 12: one of two servers is asked to end (SIGQUIT, nginx's graceful stop).
pub async fn drain(run: Run) -> Vec<Figure> {
    let mut nchan = Nchan::start(Keeper::Redis).await;
    let viewers = run.viewers(100, 1_000);
    let load = Load::new((viewers / 20).max(3), viewers, run.secs(16, 45));
    let (mut from_ms, mut secs) = (0, 0.0);
    let played = play(&mut nchan, load, Pace::Fast, async |drill: &mut Drill<'_>| {
        drill.rest(3.0).await;
        let began = barrage_clock::now();
        from_ms = drill.records.now_ms();
        let server = &mut drill.nchan.processes[0];
        assert!(signal("QUIT", [server.id().to_string()]), "nginx is gone");
        let ended = wait::until_true(DRAIN_MAX, "the end of nginx", async || !server.is_running());
        ended.await;
        secs = began.elapsed().as_secs_f64();
    })
    .await;
    let mut all = vec![
        Figure::some("viewers that moved", played.back_ms(from_ms).len() as u64),
        Figure::new("exit of the server", secs, "s", Bound::Free),
        Figure::new("longest time without a message at a viewer", played.silence_max_s(), "s", Bound::Free),
    ];
    all.extend(figures(&nchan, &played));
    all
}
