//! Row 21: processes and servers die and stop while people write letters and read them.

use std::time::Duration;

use rand::RngExt;

use crate::figure::Figure;
use crate::people::{LetterLoad, play_letters};
use crate::run::Run;
use crate::site::{Site, SiteOptions};

/// Beginnings of the names of the processes that die.
const VICTIMS: [&str; 5] = ["courier", "uplink", "postgres", "nats", "redis"];
/// Limits that are out of the way, because people of the run write faster than others.
const UNLIMITED: [&str; 3] = [
    "INBOX__LIMITS__NEW_CONVERSATIONS_PER_HOUR",
    "INBOX__LIMITS__GROUP_ITEMS_PER_S",
    "INBOX__LIMITS__SYNCS_PER_S",
];

/// One fault after the other, until the load is over. Each is a kill or a stop of a courier, an uplink, PostgreSQL, a
/// node of NATS or Redis.
pub(super) async fn chaos(run: Run) -> Vec<Figure> {
    let cluster = SiteOptions { nats: 3, couriers: 2, ..SiteOptions::cluster(1) };
    let mut options = cluster.set("INBOX__LIMITS__READS_GROUP_MS", "1000");
    for name in UNLIMITED {
        options = options.set(name, "1000000");
    }
    let mut site = Site::start(&run, &options.set("MODERATION__REPEAT__USER_TIMES_MAX", "0")).await;
    let users = run.viewers(12, 24);
    let load = LetterLoad {
        users,
        groups: 3,
        pace: Duration::from_millis(200),
        secs: run.secs(20, 1_800),
        seed: run.seed,
    };
    let (mut chance, mut kills, mut stops) = (run.chance(), 0, 0);
    let played = play_letters(&mut site, load, async |site: &mut Site, load: Duration| {
        let began = barrage_clock::now();
        while began.elapsed() < load {
            tokio::time::sleep(Duration::from_secs_f64(chance.random_range(1.5..4.0))).await;
            // Each kind of process in its turn at random: there are three nodes of NATS, and one Redis.
            let kind = VICTIMS[chance.random_range(0..VICTIMS.len())];
            let names = site.processes.iter().map(|process| process.recipe.name.clone());
            let names: Vec<_> = names.filter(|name| name.starts_with(kind)).collect();
            let process = site.process(&names[chance.random_range(0..names.len())]);
            if chance.random_bool(0.7) {
                process.kill();
                tokio::time::sleep(Duration::from_millis(chance.random_range(200..1_500))).await;
                process.restart().await;
                kills += 1;
            } else {
                process.pause();
                tokio::time::sleep(Duration::from_secs(3)).await;
                process.resume();
                stops += 1;
            }
        }
    })
    .await;
    let mut figures = vec![Figure::some("kills", kills), Figure::some("kills and stops", kills + stops)];
    figures.extend(played.figures());
    figures
}
