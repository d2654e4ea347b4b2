//! Rows 1, 4, 12 and 13: processes of a cluster die, stop and drain while gifts are counted.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use rand::RngExt;

use crate::crowd::{Drill, Load, play};
use crate::figure::{Bound, Figure};
use crate::machine;
use crate::run::{Run, Size};
use crate::site::{Site, SiteOptions, Wrap};

/// Viewers of a room. The viewers run on the machine under test: with five times as many, each
/// receives 60 messages a second, and reading them keeps two cores busy.
const ROOM_VIEWERS: usize = 20;
/// Longest drain of a gateway that is asked to stop.
const DRAIN_MAX: Duration = Duration::from_secs(150);

fn load(run: &Run, viewers: (usize, usize), secs: (u64, u64)) -> Load {
    let viewers = run.viewers(viewers.0, viewers.1);
    Load::new((viewers / ROOM_VIEWERS).max(3), viewers, run.secs(secs.0, secs.1))
}

/// Row 1: one fault after the other, until everything is posted. Each is a kill or a stop of one of all
/// processes: three NATS nodes, Redis, PostgreSQL, entry, archiver, uplinks and gateways.
pub(super) async fn chaos(run: Run) -> Vec<Figure> {
    let options = SiteOptions { nats: 3, ..SiteOptions::cluster(3) };
    let mut site = Site::start(&run, &options).await;
    let load = load(&run, (60, 2_000), (20, 180)).rates(run.pick(20, 200), run.pick(60, 1_000));
    let mut chance = run.chance();
    let played = play(&mut site, load, async |drill: &mut Drill<'_>| {
        while drill.is_posting() {
            drill.rest(chance.random_range(1.5..4.0)).await;
            let victim = chance.random_range(0..drill.site.processes.len());
            let name = drill.site.processes[victim].recipe.name.clone();
            let away = Duration::from_millis(chance.random_range(200..1_500));
            if chance.random_bool(0.5) {
                drill.kill(&name, away).await;
            } else {
                drill.pause(&name, Duration::from_secs(3)).await;
            }
        }
    })
    .await;
    let mut figures = vec![Figure::some("faults", played.faults.len() as u64)];
    figures.extend(played.figures());
    figures
}

/// Row 4: the servers that a process waits for stop where they are.
pub(super) async fn pause(run: Run) -> Vec<Figure> {
    let mut site = Site::start(&run, &SiteOptions::cluster(2)).await;
    let away = Duration::from_secs(run.pick(3, 8));
    let played = play(&mut site, load(&run, (40, 100), (20, 60)), async |drill: &mut Drill<'_>| {
        for name in ["nats-1", "uplink-1", "archiver", "postgres"] {
            drill.rest(2.0).await;
            drill.pause(name, away).await;
        }
    })
    .await;
    played.figures()
}

/// Row 12: a gateway drains. Its viewers open the new connection before they leave the old one.
pub(super) async fn drain(run: Run) -> Vec<Figure> {
    let mut site = Site::start(&run, &SiteOptions::cluster(2)).await;
    let (mut secs, mut is_clean, mut from_ms) = (0.0, false, 0);
    let played = play(&mut site, load(&run, (100, 1_000), (16, 45)), async |drill: &mut Drill<'_>| {
        drill.rest(3.0).await;
        let began = barrage_clock::now();
        from_ms = drill.records.now_ms();
        let status = drill.site.process("gateway-1").terminate(DRAIN_MAX).await;
        (secs, is_clean) = (began.elapsed().as_secs_f64(), status.signal().is_none());
    })
    .await;
    let moved = played.seen.iter().filter(|seen| seen.hellos_ms.len() > 1).count();
    let mut figures = vec![
        Figure::some("viewers that moved", moved as u64),
        Figure::new("exit of the gateway", secs, "s", Bound::AtMost(run.pick(30.0, 60.0))),
        Figure::none("gateways killed by a signal", u64::from(!is_clean)),
        Figure::new(
            "longest time without a message at a viewer",
            played.silence_max_s(),
            "s",
            Bound::AtMost(1.0),
        ),
        Figure::new("chat not shown", played.judgement.chat_lost_pct, "%", Bound::AtMost(0.1)),
    ];
    figures.extend(played.figures());
    figures
}

/// Row 13: each gateway drains and starts again, and one is killed in the middle.
pub(super) async fn rolling(run: Run) -> Vec<Figure> {
    let mut site = Site::start(&run, &SiteOptions::cluster(3)).await;
    let rounds = run.pick(1, 5);
    let mut restarts = 0;
    let played = play(&mut site, load(&run, (60, 300), (24, 300)), async |drill: &mut Drill<'_>| {
        for round in 0..rounds {
            for name in ["gateway-1", "gateway-2", "gateway-3"] {
                let gateway = drill.site.process(name);
                assert!(gateway.terminate(DRAIN_MAX).await.signal().is_none(), "{name} was killed");
                gateway.restart().await;
                restarts += 1;
                drill.rest(1.0).await;
            }
            if round == rounds / 2 {
                drill.kill("gateway-2", Duration::from_secs(1)).await;
            }
        }
    })
    .await;
    let mut figures = vec![Figure::some("drained gateways", restarts)];
    figures.extend(played.figures());
    figures
}

/// Drains a process, and starts it again with a binary.
async fn replace(drill: &mut Drill<'_>, name: &str, binary: &Path) {
    let process = drill.site.process(name);
    process.recipe.command[0] = binary.display().to_string();
    assert!(process.terminate(DRAIN_MAX).await.signal().is_none(), "{name} was killed");
    process.restart().await;
    drill.rest(1.0).await;
}

/// Processes of a cluster in the order in which an upgrade replaces them.
const UPGRADED: [&str; 7] =
    ["archiver", "uplink-1", "uplink-2", "entry", "gateway-1", "gateway-2", "gateway-3"];
/// Processes that a downgrade replaces: those without a database, whose schema an older version may not know.
const DOWNGRADED: [&str; 4] = ["gateway-3", "gateway-2", "gateway-1", "entry"];

/// Row 13, with two versions: each process drains and starts again with the binary under test, and then the ones
/// without a database go back to the other one. The full form has them change between both versions until
/// everything is posted, with a kill of a gateway in each direction.
pub(super) async fn upgrade(run: Run) -> Vec<Figure> {
    let old = machine::old_server().expect("checked as a need");
    let mut options = SiteOptions::cluster(3);
    for name in UPGRADED {
        options = options.wrap(name, Wrap { binary: Some(old.clone()), ..Wrap::default() });
    }
    let mut site = Site::start(&run, &options).await;
    let steps = UPGRADED.iter().map(|name| (*name, &run.binary));
    let steps: Vec<_> = steps.chain(DOWNGRADED.iter().map(|name| (*name, &old))).collect();
    let (mut restarts, mut kills) = (0, 0);
    let played = play(&mut site, load(&run, (60, 300), (40, 300)), async |drill: &mut Drill<'_>| {
        for (name, binary) in &steps {
            replace(drill, name, binary).await;
            restarts += 1;
        }
        let turns = [&run.binary, &old].into_iter().cycle();
        for binary in turns.take_while(|_| run.size == Size::Full) {
            for name in DOWNGRADED {
                if !drill.is_posting() {
                    return;
                }
                replace(drill, name, binary).await;
                restarts += 1;
            }
            drill.kill("gateway-2", Duration::from_secs(1)).await;
            kills += 1;
        }
    })
    .await;
    let mut figures = vec![
        Figure::some("processes replaced", restarts),
        Figure::new("gateways killed", f64::from(kills), "", Bound::Free),
    ];
    figures.extend(played.figures());
    figures
}
