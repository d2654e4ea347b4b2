//! Instructions: what a delivery, a join and a post cost in user space, counted by callgrind, which a
//! busy machine disturbs less than processor time. Periodic work of the process is counted apart and
//! subtracted, with an error of some per cent. The profiles that remain are exact: the inclusive count
//! of one function, by its calls, is the same in each run. System calls stand for the kernel's work,
//! and delays of the memory are not seen at all.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Map, json};

use super::figures::{self, ByTurns, median, thousandths};
use super::site::admin::sleep;
use super::site::{Build, Callgrind, Counted, CountedThreads, Gateway, Platform};
use crate::run::note;

/// Time before and after the messages, in which the process does all that it put off.
const SETTLE: Duration = Duration::from_secs(1);
/// Pace of the messages of one batch. All arrive within its window, which is long enough for that on a
/// busy machine.
const AT_ONCE_PER_S: f64 = 100_000.0;
/// Bytes of a message on its way to a viewer, at least.
const MESSAGE_BYTES_MIN: f64 = 100.0;
/// Time in which periodic work is counted alone.
const IDLE: Duration = Duration::from_secs(4);
/// Viewers of the first count of messages, and number of joins in the case of joins.
const VIEWERS: u32 = 200;
/// Viewers that join for the second count of messages. A delivery costs the difference by one of them, in
/// the thread of the shard: what a message costs once, whatever the number of viewers, is in both counts.
const MORE_VIEWERS: u32 = 800;

/// What is counted, and the name of its figure.
#[derive(Debug, Clone, Copy)]
enum Case {
    /// Chat to a room. Each batch is published when all viewers have read the one before: a rate in time
    /// would give other batches on a busy machine.
    Delivery { name: &'static str, window_ms: u64, messages: u32, batches: u32 },
    /// WebSocket handshakes with a token, up to the first frame.
    Join,
    /// Posts over HTTP to the whole platform in one process, without viewers.
    Post(Room),
}

/// What the room of the posts has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    /// Nothing but its title.
    Plain,
    /// Emotes, a pinned message and attributes, and its sender has attributes.
    Furnished,
}

const CASES: [Case; 5] = [
    Case::Delivery { name: "delivery_batch1", window_ms: 1, messages: 1, batches: 50 },
    Case::Delivery { name: "delivery_batch10", window_ms: 500, messages: 10, batches: 25 },
    Case::Join,
    Case::Post(Room::Plain),
    Case::Post(Room::Furnished),
];

/// Counts each case, of both binaries by turns where another is given.
pub(crate) fn main(
    build: &Build,
    other: Option<&str>,
    rounds: u32,
    only: Option<&str>,
    as_json: bool,
) -> anyhow::Result<()> {
    let (ours, mut figures) = (build.barrage(), Map::new());
    for case in CASES.into_iter().filter(|case| only.is_none_or(|only| case.name().starts_with(only))) {
        let name = case.name();
        note(name);
        let (mut of_ours, mut of_other) = (Vec::new(), Vec::new());
        let mut count = |binary: &str| {
            let counted = case.count(build, binary)?;
            note(&format!(
                "    {:.0} instructions, {:.3} system calls",
                counted.instructions, counted.system_calls
            ));
            let calls = if binary == ours { &mut of_ours } else { &mut of_other };
            calls.push(counted.system_calls);
            Ok(counted.instructions)
        };
        let figure = format!("instructions_per_{name}");
        match other {
            Some(other) => ByTurns::measure(rounds, &ours, other, count)?.add_to(&mut figures, &figure),
            None => {
                let mut counts = (0..rounds).map(|_| count(&ours)).collect::<anyhow::Result<Vec<_>>>()?;
                let middle = median(&mut counts);
                let spread = (counts[counts.len() - 1] - counts[0]) / middle;
                figures.insert(format!("{figure}_spread"), json!(thousandths(spread)));
                figures.insert(figure, json!(middle.round()));
            }
        }
        figures.insert(format!("system_calls_per_{name}"), json!(thousandths(median(&mut of_ours))));
        if other.is_some() {
            figures
                .insert(format!("system_calls_per_{name}_other"), json!(thousandths(median(&mut of_other))));
        }
    }
    note("The profiles are in target/bench/callgrind; callgrind_annotate prints them.");
    figures::print(&figures, as_json)
}

impl Case {
    fn name(&self) -> &'static str {
        match self {
            Case::Delivery { name, .. } => name,
            Case::Join => "join",
            Case::Post(Room::Plain) => "post",
            Case::Post(Room::Furnished) => "post_furnished",
        }
    }

    /// Returns instructions and system calls per delivery, join or post.
    fn count(&self, build: &Build, binary: &str) -> anyhow::Result<Counted> {
        let file = binary.trim_matches(['.', '/']).replace('/', "-");
        let callgrind = Callgrind::new(&format!("{}-{file}", self.name()))?;
        match *self {
            Case::Delivery { window_ms, messages, batches, .. } => {
                deliveries(build, binary, &callgrind, window_ms, (messages, batches))
            }
            Case::Join => joins(build, binary, &callgrind),
            Case::Post(room) => posts(binary, &callgrind, room),
        }
    }
}

fn deliveries(
    build: &Build,
    binary: &str,
    callgrind: &Callgrind,
    window_ms: u64,
    (messages, batches): (u32, u32),
) -> anyhow::Result<Counted> {
    let window = format!("window_ms = {window_ms}\nwindow_ms_max = {window_ms}\n");
    let gateway = Gateway::start_counted(build, binary, &window, callgrind)?;
    let pid = gateway.process.0.id();
    let mut publisher = gateway.publisher(AT_ONCE_PER_S, messages)?;
    let (mut parts, mut viewers, mut counts) = (Vec::new(), 0, Vec::new());
    for joining in [VIEWERS, MORE_VIEWERS] {
        parts.push((joining, gateway.viewers(joining, &["--one-in", "1000000"])?));
        viewers += joining;
        let mut deliver = |batches| {
            for _ in 0..batches {
                parts.iter_mut().try_for_each(|(_, part)| part.mark().map(drop))?;
                publisher.mark()?;
                for (viewers, part) in &mut parts {
                    part.read_all(f64::from(messages * *viewers) * MESSAGE_BYTES_MIN)?;
                }
            }
            Ok(())
        };
        // The first messages fill the caches and pools.
        deliver(batches / 4)?;
        let idle = idle(callgrind, pid)?;
        let metric = |name: &str| gateway.metric(name, "");
        let before = metric("barrage_gateway_deliveries_total")?;
        let writes_before = metric("barrage_gateway_writes_total")?;
        let threads = callgrind.count(pid, || deliver(batches))?;
        let whole = threads.sum();
        let deliveries = metric("barrage_gateway_deliveries_total")? - before;
        let writes = metric("barrage_gateway_writes_total")? - writes_before;
        let due = f64::from(messages * batches * viewers);
        ensure!((deliveries - due).abs() < 0.5, "{deliveries} deliveries instead of {due}");
        note(&format!(
            "    {viewers} viewers, {:.2} messages a write: {:.0} instructions of all threads in {:.1} s",
            deliveries / writes,
            whole.instructions,
            whole.secs
        ));
        counts.push((threads, idle));
    }
    let shard = counts[1].0.busiest().context("no thread was counted")?;
    let of_shard = |(threads, idle): &(CountedThreads, CountedThreads)| {
        threads.of_thread_without(shard, idle).context("the thread of the shard was not counted")
    };
    let more = of_shard(&counts[1])?.more_than(of_shard(&counts[0])?);
    Ok(more.per(f64::from(messages * batches * MORE_VIEWERS)))
}

/// Counts a process that has nothing to do but its own periodic work.
fn idle(callgrind: &Callgrind, pid: u32) -> anyhow::Result<CountedThreads> {
    sleep(SETTLE);
    callgrind.count(pid, || {
        sleep(IDLE);
        Ok(())
    })
}

fn joins(build: &Build, binary: &str, callgrind: &Callgrind) -> anyhow::Result<Counted> {
    let gateway = Gateway::start_counted(build, binary, "", callgrind)?;
    let token = gateway.token()?;
    let _first = gateway.viewers(VIEWERS / 4, &["--token", &token])?;
    sleep(SETTLE);
    let pid = gateway.process.0.id();
    let idle = idle(callgrind, pid)?;
    let mut joined = None;
    let counted = callgrind.count(pid, || {
        joined = Some(gateway.viewers(VIEWERS, &["--token", &token])?);
        sleep(SETTLE);
        Ok(())
    })?;
    Ok(counted.sum().without_idle(idle.sum()).per(f64::from(VIEWERS)))
}

fn posts(binary: &str, callgrind: &Callgrind, room: Room) -> anyhow::Result<Counted> {
    const POSTS: u32 = 200;
    const PER_S: f64 = 40.0;
    let mut platform = Platform::start(binary, &[], callgrind)?;
    if room == Room::Furnished {
        platform.furnish()?;
    }
    platform.post(POSTS, PER_S)?;
    let pid = platform.process.0.id();
    let idle = idle(callgrind, pid)?;
    let counted = callgrind.count(pid, || {
        platform.post(POSTS, PER_S)?;
        sleep(SETTLE);
        Ok(())
    })?;
    Ok(counted.sum().without_idle(idle.sum()).per(f64::from(POSTS)))
}
