//! Row 3: the disk of the embedded log is full, or fails to sync.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use barrage_testkit::process::signal;
use serde_json::json;

use crate::cause::SmallDisk;
use crate::crowd::{Drill, Load, play};
use crate::figure::{Bound, Figure};
use crate::run::Run;
use crate::site::{EMBEDDED, Site, SiteOptions};

/// Size of the disk: the log of a few thousand messages, and SQLite's shared memory.
const DISK_MIB: u64 = 48;
/// Longest wait for an answer to one post.
const ANSWER_MAX: Duration = Duration::from_secs(15);

/// Row 3: no acknowledgement without durability, a quick refusal, and service once there is space again.
pub(super) async fn full(run: Run) -> Vec<Figure> {
    let disk = SmallDisk::new(DISK_MIB);
    let options = SiteOptions { data_dir: Some(disk.path().join("data")), ..SiteOptions::embedded() };
    broken(&run, &options, async |_| disk.fill(), async |_| disk.free()).await
}

/// Row 3: each sync of the log fails with an I/O error.
pub(super) async fn failing(run: Run) -> Vec<Figure> {
    let mut tracer = None;
    let tracer = std::cell::RefCell::new(&mut tracer);
    let begin = async |process: u32| {
        let inject = "inject=fdatasync,fsync:error=EIO";
        let words = ["-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e", inject, "-p"];
        let mut strace = Command::new("strace");
        strace.args(words).arg(process.to_string()).stdin(Stdio::null()).stderr(Stdio::null());
        **tracer.borrow_mut() = Some(strace.spawn().unwrap());
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    let end = async |_: u32| {
        let mut child = tracer.borrow_mut().take().unwrap();
        // Detaches from the server and ends.
        signal("INT", [child.id().to_string()]);
        drop(child.wait());
    };
    broken(&run, &SiteOptions::embedded(), begin, end).await
}

/// Breaks the disk for a while and posts gifts, one after the other; then kills the server and judges.
async fn broken(
    run: &Run,
    options: &SiteOptions,
    begin: impl AsyncFn(u32),
    end: impl AsyncFn(u32),
) -> Vec<Figure> {
    let mut site = Site::start(run, options).await;
    let token = site.token("direct", "host");
    let url = format!("{}/v1/rooms/{}/messages", site.uplink, Load::room(0));
    let broken_s = run.pick(5.0, 20.0);
    let (mut refused, mut accepted, mut slowest_ms, mut heal_s) = (0, 0, 0.0_f64, f64::NAN);
    let load = Load::new(3, run.viewers(30, 100), run.secs(20, 45));
    let played = play(&mut site, load, async |drill: &mut Drill<'_>| {
        drill.rest(3.0).await;
        let (process, from_ms) = (drill.site.process(EMBEDDED).id(), drill.records.now_ms());
        begin(process).await;
        let mut number = 0;
        let mut began = barrage_clock::now();
        while began.elapsed().as_secs_f64() < broken_s {
            number += 1;
            let (status, ms) = post(&url, &token, &format!("d{number}")).await;
            slowest_ms = slowest_ms.max(ms);
            *(if status == 503 { &mut refused } else { &mut accepted }) += 1;
            drill.rest(0.05).await;
        }
        end(process).await;
        began = barrage_clock::now();
        while heal_s.is_nan() && began.elapsed() < ANSWER_MAX {
            number += 1;
            if post(&url, &token, &format!("d{number}")).await.0 == 200 {
                heal_s = began.elapsed().as_secs_f64();
            }
            drill.rest(0.02).await;
        }
        drill.note("disk broken".into(), from_ms);
        drill.rest(2.0).await;
        drill.kill(EMBEDDED, Duration::from_millis(200)).await;
    })
    .await;
    let mut figures = vec![
        Figure::some("gifts refused with 503 while the disk was broken", refused),
        Figure::new("gifts answered otherwise meanwhile", accepted as f64, "", Bound::Free),
        Figure::new("slowest answer meanwhile", slowest_ms, "ms", Bound::AtMost(run.pick(1_000.0, 100.0))),
        Figure::new("first gift after the repair", heal_s, "s", Bound::AtMost(5.0)),
    ];
    figures.extend(played.figures());
    figures
}

/// Posts a gift once. Returns the status, 0 without an answer, and the time until then in milliseconds.
async fn post(url: &str, token: &str, id: &str) -> (u16, f64) {
    let body = json!({ "type": "gift", "id": id, "gift": { "name": "rose", "count": 1 } }).to_string();
    let began: Instant = barrage_clock::now();
    let request = reqwest::Client::new().post(url).bearer_auth(token).body(body).timeout(ANSWER_MAX);
    let status = request.send().await.map_or(0, |answer| answer.status().as_u16());
    (status, began.elapsed().as_secs_f64() * 1_000.0)
}
