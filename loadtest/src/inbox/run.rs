//! One run of a scenario of letters: prepares the site, sends the load, and builds the report.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::time::Instant;

use super::device::{Crowd, Device};
use super::progress::Progress;
use super::report::{InboxReport, Measured};
use super::scenario::{InboxScenario, Load};
use super::sender::Sent;
use super::site::Site;
use super::{album, away, fan_group, letters, live};
use crate::descriptors;
use crate::error::LoadtestError;
use crate::measure::figure::Figures;
use crate::run::RunOptions;

/// Requests of the preparation, and joins of devices, at the same time.
pub(super) const AT_ONCE: usize = 64;
/// Longest wait until all devices are attached.
const ATTACH_MAX: Duration = Duration::from_secs(120);

/// What a run needs besides its load.
pub(super) struct Course {
    pub(super) progress: Progress,
    /// Becomes true when the user interrupts the run.
    pub(super) interrupted: Rc<Cell<bool>>,
    pub(super) settle: Duration,
}

/// Runs a scenario to its end. A run that can be judged is no error, whatever the verdict.
pub async fn run(scenario: &InboxScenario, options: &RunOptions) -> Result<InboxReport, LoadtestError> {
    let fit = descriptors::raise()?;
    let devices = match scenario.load() {
        Load::Letters(load) => load.users,
        Load::FanGroup(load) => load.online,
        Load::Away(load) => load.devices,
        // Connections are kept in a pool.
        Load::Album(_) => 0,
        Load::Live(load) => (f64::from(load.followers) * load.opening_share).ceil() as u32,
    };
    if devices > fit {
        return Err(LoadtestError::Usage(format!(
            "{devices} devices do not fit into this process, which may hold {fit} (ulimit -n)"
        )));
    }
    let interrupted = Rc::new(Cell::new(false));
    let (flag, started_unix_secs) = (Rc::clone(&interrupted), barrage_clock::since_unix_epoch().as_secs());
    let listening = tokio::task::spawn_local(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            flag.set(true);
        }
    });
    let mut course = Course {
        progress: Progress::new(options.quiet, &scenario.name),
        interrupted: Rc::clone(&interrupted),
        settle: Duration::from_secs_f64(scenario.settle_secs),
    };
    let site = Site::prepare(&scenario.room, options).await?;
    let measured = match scenario.load() {
        Load::Letters(load) => letters::run(site, load, &mut course).await,
        Load::FanGroup(load) => fan_group::run(site, load, &mut course).await,
        Load::Away(load) => away::run(site, load, &mut course).await,
        Load::Album(load) => album::run(site, load, &mut course).await,
        Load::Live(load) => live::run(site, load, &options.push, &mut course).await,
    };
    course.progress.finish();
    listening.abort();
    Ok(InboxReport::new(scenario, options, started_unix_secs, interrupted.get(), measured?))
}

/// Does a step of the preparation for many users, some at the same time.
pub(super) async fn for_all<F>(
    course: &mut Course,
    what: &str,
    users: std::ops::Range<u32>,
    step: impl Fn(u32) -> F,
) -> Result<(), LoadtestError>
where
    F: Future<Output = Result<(), LoadtestError>>,
{
    let all = users.len() as u64;
    let mut steps = stream::iter(users.map(step)).buffer_unordered(AT_ONCE);
    let mut done = 0;
    while let Some(ended) = steps.next().await {
        ended?;
        done += 1;
        course.progress.show(what, done, all);
        if course.interrupted.get() {
            return Err(LoadtestError::Interrupted);
        }
    }
    Ok(())
}

/// Starts the devices of the first users, and waits until all are attached.
pub(super) async fn attach_all(
    crowd: &Rc<Crowd>,
    devices: u32,
    course: &mut Course,
) -> Result<(), LoadtestError> {
    let deadline = Instant::now() + ATTACH_MAX;
    let mut started = 0;
    while crowd.attached.get() < devices {
        // At most so many that are not attached yet: a storm is not the load of this scenario.
        while started < devices && (started - crowd.attached.get().min(started)) < AT_ONCE as u32 {
            tokio::task::spawn_local(Device::new(crowd, started)?.run());
            started += 1;
        }
        course.progress.show("devices", crowd.attached.get().into(), devices.into());
        tokio::time::sleep(Duration::from_millis(5)).await;
        if course.interrupted.get() {
            return Err(LoadtestError::Interrupted);
        }
        if Instant::now() > deadline {
            let tally = crowd.tally.borrow();
            return Err(LoadtestError::cannot(format!(
                "{} of {devices} devices are attached after {} s; connections: {:?}, syncs: {:?}",
                crowd.attached.get(),
                ATTACH_MAX.as_secs(),
                tally.broken,
                tally.syncs_failed
            )));
        }
    }
    Ok(())
}

/// Lets letters arrive, syncs the devices that lack some, and returns the figures of the run.
pub(super) async fn conclude(
    crowd: &Rc<Crowd>,
    sent: &Sent,
    devices: u32,
    group: Option<&str>,
    course: &mut Course,
) -> Result<Measured, LoadtestError> {
    tokio::time::sleep(course.settle).await;
    let lacking = crowd.board.borrow().lacking();
    for (at, (user, _)) in (0_u64..).zip(&lacking) {
        course.progress.show("late letters", at, lacking.len() as u64);
        crowd.catch_up(*user, group).await?;
    }
    crowd.end.send_replace(true);
    let (board, tally) = (crowd.board.borrow(), crowd.tally.borrow());
    let lost: u64 = board.lacking().iter().map(|(_, count)| count).sum();
    let mut figures = Figures::new();
    board.shown.figures("letter", &mut figures);
    if group.is_some() {
        board.last().figures("last", &mut figures);
    }
    sent.post.figures("post", &mut figures);
    tally.attach.figures("attach", &mut figures);
    tally.sync.figures("sync", &mut figures);
    let count = |map: &std::collections::BTreeMap<String, u64>| map.values().sum::<u64>() as f64;
    let (all, due) = ((sent.all as f64).max(1.0), (board.due() as f64).max(1.0));
    let others = [
        ("letters_per_s", board.accepted() as f64 / sent.secs),
        ("letters.refused", count(&sent.refused) / all),
        ("letters.failed", count(&sent.failed) / all),
        ("letters.late", board.late as f64 / due),
        ("letters.lost", lost as f64 / due),
        ("devices.lost", count(&tally.broken) / f64::from(devices)),
    ];
    figures.extend(others.map(|(name, value)| (name.to_owned(), value)));
    figures.extend(sent.lag.quantile_ms(0.99).map(|lag| ("tester.lag.p99".to_owned(), lag)));
    let counts = [
        ("letters", sent.all),
        ("accepted", board.accepted()),
        ("due", board.due()),
        ("shown", board.shown.count()),
        ("late", board.late),
        ("lost", lost),
        ("frames", tally.frames),
        ("bells", tally.bells),
        ("syncs", tally.sync.count()),
    ];
    let reasons = [
        ("refused letters", sent.refused.clone()),
        ("failed letters", sent.failed.clone()),
        ("lost connections", tally.broken.clone()),
        ("failed syncs", tally.syncs_failed.clone()),
    ];
    Ok(Measured::new(figures, &counts, reasons))
}
