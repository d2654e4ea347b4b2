//! Row 18: few descriptors, little memory, a share of a processor.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::strangers::silent_viewer;
use crate::cause::Cgroup;
use crate::crowd::{Drill, Load, play};
use crate::figure::{Bound, Figure};
use crate::run::Run;
use crate::site::{EMBEDDED, Site, SiteOptions, Wrap};
use crate::vitals::Vitals;

/// Descriptors of the server process.
const DESCRIPTORS: &str = "256";
/// Connections that strangers open beside the viewers.
const STRANGERS: usize = 400;
/// Memory of the server's control group.
const MEMORY_BYTES: u64 = 256 << 20;
/// Share of one processor that the server may use, in percent.
const PROCESSOR_PERCENT: u64 = 25;

/// Row 18: strangers take all descriptors. The server does not spin, and its viewers notice nothing.
pub(super) async fn descriptors(run: Run) -> Vec<Figure> {
    let before = ["prlimit".to_owned(), format!("--nofile={DESCRIPTORS}")].to_vec();
    let wrap = Wrap { before, ..Wrap::default() };
    let mut site = Site::start(&run, &SiteOptions::embedded().wrap(EMBEDDED, wrap)).await;
    let (process, address) = (site.process(EMBEDDED).id(), site.process(EMBEDDED).recipe.address);
    // Longer than `header_secs`, after which a stranger is closed.
    let span_s = run.pick(6.0, 10.0);
    let (mut base, mut full, mut answered, mut after_s) = (0.0, 0.0, 0, f64::NAN);
    let load = Load::new(2, 40, run.secs(18, 45)).rates(10, 20);
    let played = play(&mut site, load, async |drill: &mut Drill<'_>| {
        let processor = async |drill: &Drill<'_>| {
            let before = Vitals::of(process).processor_s;
            drill.rest(span_s).await;
            100.0 * (Vitals::of(process).processor_s - before) / span_s
        };
        base = processor(drill).await;
        let mut open = Vec::new();
        for _ in 0..STRANGERS {
            let connect = tokio::time::timeout(Duration::from_secs(1), TcpStream::connect(address));
            open.extend(connect.await.into_iter().flatten());
        }
        full = processor(drill).await;
        for stream in &mut open {
            // A refusal or a close counts as an answer; a connection that waits for a descriptor does not.
            let mut byte = [0];
            let read = tokio::time::timeout(Duration::from_millis(5), stream.read(&mut byte)).await;
            answered += u64::from(read.is_ok());
        }
        drop(open);
        let began = barrage_clock::now();
        while after_s.is_nan() && began.elapsed() < Duration::from_secs(10) {
            let get = reqwest::get(format!("http://{address}/v1/race"));
            if tokio::time::timeout(Duration::from_secs(1), get).await.is_ok_and(|answer| answer.is_ok()) {
                after_s = began.elapsed().as_secs_f64();
            }
        }
    })
    .await;
    let mut figures = vec![
        Figure::new("processor with free descriptors", base, "%", Bound::Free),
        Figure::new("more processor without any", full - base, "%", Bound::AtMost(10.0)),
        Figure::some("strangers answered or closed", answered),
        Figure::new("first answer once they have gone", after_s, "s", Bound::AtMost(5.0)),
        Figure::none("connections of viewers that ended", played.breaks()),
    ];
    figures.extend(played.figures());
    figures
}

/// Row 18: viewers and clients that never read share 256 MiB with the server.
pub(super) async fn memory(run: Run) -> Vec<Figure> {
    let group = Cgroup::memory("memory", MEMORY_BYTES).unwrap();
    let mut site = Site::start(&run, &SiteOptions::embedded().wrap(EMBEDDED, group.wrap())).await;
    let (process, address) = (site.process(EMBEDDED).id(), site.process(EMBEDDED).recipe.address);
    let viewers = run.viewers(300, 3_000);
    let mut peak = 0.0_f64;
    let mut load = Load::new(10, viewers, run.secs(18, 60)).rates(20, run.pick(400, 300));
    load.padding = 120;
    let played = play(&mut site, load, async |drill: &mut Drill<'_>| {
        let mut silent = Vec::new();
        for n in 0..run.pick(200, 1_000) {
            silent.push(silent_viewer(address, n % 10).await);
        }
        while drill.is_posting() {
            peak = peak.max(Vitals::of(process).resident_bytes);
            drill.rest(0.5).await;
        }
        drop(silent);
    })
    .await;
    let alive = site.process(EMBEDDED).is_running();
    let mut figures = vec![
        Figure::none("kills for lack of memory", group.kills() + u64::from(!alive)),
        Figure::new("peak of resident memory", peak / 1_048_576.0, "MiB", Bound::AtMost(256.0)),
    ];
    figures.extend(played.figures());
    figures
}

/// Row 18: the server has a quarter of a processor.
pub(super) async fn processor(run: Run) -> Vec<Figure> {
    let group = Cgroup::cpu("cpu", PROCESSOR_PERCENT).unwrap();
    let mut site = Site::start(&run, &SiteOptions::embedded().wrap(EMBEDDED, group.wrap())).await;
    let process = site.process(EMBEDDED).id();
    let mut used = 0.0;
    let load = Load::new(4, run.viewers(80, 300), run.secs(18, 60));
    let played = play(&mut site, load, async |drill: &mut Drill<'_>| {
        let (before, span_s) = (Vitals::of(process).processor_s, run.pick(8.0, 30.0));
        drill.rest(span_s).await;
        used = 100.0 * (Vitals::of(process).processor_s - before) / span_s;
    })
    .await;
    let bound = Bound::AtMost(PROCESSOR_PERCENT as f64 + 3.0);
    let mut figures = vec![Figure::new("processor that the server used", used, "%", bound)];
    figures.extend(played.figures());
    figures
}

/// Writes a request's begin and nothing more; for callers that hold the connection.
pub(super) async fn send(stream: &mut TcpStream, text: &str) {
    drop(stream.write_all(text.as_bytes()).await);
}
