//! The search for the capacity of a gateway, axis by axis: the highest load that it carries with
//! latency and loss within limits.

pub mod axis;
pub mod cause;
pub mod config;
pub mod machine;
pub mod outcome;
mod progress;
pub mod search;

use std::cell::OnceCell;
use std::time::Duration;

use tokio::time::Instant;

use crate::error::LoadtestError;
use crate::net::http::{Call, Pool, Target};
use crate::run::{self, RunOptions};

use axis::Axis;
use cause::{Cause, cause, counters};
use config::CapacityConfig;
use outcome::{Capacity, Sample, Searched, Trial};
use progress::Progress;
use search::{Bounds, KneeSearch, Verdict};

/// Factor between two loads while no load, or every load, has broken.
const GROWTH: f64 = 2.0;
/// The same factor when an earlier search has found a knee; the search begins this factor below it.
const GROWTH_NEAR: f64 = 1.4;
const START_NEAR: f64 = 0.75;
/// Longest wait after a trial until the server has recovered.
const CALM_MAX: Duration = Duration::from_secs(90);
/// Time between two checks whether the server has recovered.
const CALM_EVERY: Duration = Duration::from_millis(500);
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

struct Survey<'a> {
    options: &'a RunOptions,
    config: &'a CapacityConfig,
    entry: Pool,
    metrics: Option<(Pool, String)>,
    /// Viewers of other clients: those before the first trial.
    others: OnceCell<f64>,
    progress: Progress,
}

/// Searches the knee of each axis in turn.
pub async fn measure(
    options: &RunOptions,
    config: &CapacityConfig,
    quiet: bool,
    build: String,
    machine: String,
) -> Result<Capacity, LoadtestError> {
    let pool = |target| Pool::new(target, 1, 0, CALL_TIMEOUT);
    let tls = options.tls()?;
    let (target, _) = Target::resolve(&options.target, &tls).await.map_err(LoadtestError::cannot)?;
    let metrics = match options.metrics_url() {
        Some(url) => {
            let (target, uri) = Target::resolve(&url, &tls).await.map_err(LoadtestError::cannot)?;
            Some((pool(target), uri.path().to_owned()))
        }
        None => None,
    };
    let searches = config.repeats * Axis::ALL.len() as u32;
    let progress = Progress::new(quiet, searches);
    let options = &RunOptions { quiet: true, ..options.clone() };
    let survey = Survey { options, config, entry: pool(target), metrics, others: OnceCell::new(), progress };
    let mut searched = Vec::new();
    for axis in Axis::ALL {
        let mut samples: Vec<Sample> = Vec::new();
        for repeat in 1..=config.repeats {
            let bounds = bounds(axis, config, samples.last());
            let sample = survey.search(axis, repeat, bounds).await?;
            survey.progress.searched(axis, repeat, &sample);
            samples.push(sample);
        }
        searched.push(Searched::new(axis, samples));
    }
    survey.progress.finish();
    Ok(Capacity { build, machine, searched })
}

fn bounds(axis: Axis, config: &CapacityConfig, before: Option<&Sample>) -> Bounds {
    let (start, growth) = match before {
        Some(sample) => (sample.load * START_NEAR, GROWTH_NEAR),
        None => (axis.start(config), GROWTH),
    };
    let (ceiling, precision, trials_max) = (axis.ceiling(config), config.precision, config.trials_max);
    Bounds { start, ceiling, growth, precision, trials_max }
}

impl Survey<'_> {
    async fn search(&self, axis: Axis, repeat: u32, bounds: Bounds) -> Result<Sample, LoadtestError> {
        let (mut search, mut trials) = (KneeSearch::new(bounds), Vec::<Trial>::new());
        while let Some(load) = search.next() {
            self.progress.tries(axis, repeat, load, search.found());
            let trial = self.attempt(axis, load).await?;
            self.progress.tried(axis, &trial);
            search.tell(if trial.broke.is_none() { Verdict::Held } else { Verdict::Broke });
            trials.push(trial);
        }
        let last = |held: bool| trials.iter().rev().filter(move |trial| trial.broke.is_none() == held);
        let Some(found) = search.found() else {
            let cause = last(false).find_map(|trial| trial.broke.as_ref()).map(Cause::text);
            return Err(LoadtestError::cannot(format!(
                "{}: nothing held, not even {:.0} {}: {}",
                axis.key(),
                trials.last().map_or(0.0, |trial| trial.load),
                axis.unit(),
                cause.unwrap_or_default(),
            )));
        };
        let same = |load: f64| move |trial: &&Trial| (trial.load - load).abs() < f64::EPSILON * load;
        let knee = last(true).find(same(found.held)).map_or(0.0, |trial| trial.measured);
        let broke = found.broke.and_then(|broke| last(false).find(same(broke)));
        // When the trials are used up, the last load may have broken only once.
        let last = broke.or_else(|| trials.last()).and_then(|trial| trial.broke.clone());
        let ended = last.unwrap_or_else(|| {
            Cause::Ceiling(format!("{:.0} {} held, and more was not tried", found.held, axis.unit()))
        });
        Ok(Sample { load: found.held, knee, ended, trials })
    }

    /// Tries one load, after the server has recovered from the last one.
    async fn attempt(&self, axis: Axis, load: f64) -> Result<Trial, LoadtestError> {
        self.calm().await;
        let before = self.counters().await;
        let report = run::run(axis.scenario(load, self.config), self.options).await?;
        let broke = cause(&report, &before, &self.counters().await);
        Ok(Trial { load, measured: axis.measured(load, &report), broke })
    }

    async fn counters(&self) -> cause::Counters {
        match &self.metrics {
            Some((pool, path)) => counters(pool, path).await,
            None => cause::Counters::new(),
        }
    }

    /// Waits until entry issues no tickets, the last viewers have left, and the gateway is at its
    /// normal level; at most for a limited time.
    async fn calm(&self) {
        let deadline = Instant::now() + CALM_MAX;
        while Instant::now() < deadline {
            let path = format!("/v1/entry?room={}", self.config.room);
            let admits = match self.entry.call(&Call::get(&path)).await {
                Ok((status, body)) => {
                    status.is_success() && !String::from_utf8_lossy(&body).contains("\"ticket\"")
                }
                Err(_) => false,
            };
            if admits && self.is_at_ease().await {
                return;
            }
            tokio::time::sleep(CALM_EVERY).await;
        }
    }

    async fn is_at_ease(&self) -> bool {
        let Some((pool, path)) = &self.metrics else { return true };
        let Ok((_, body)) = pool.call(&Call::get(path)).await else { return false };
        let text = String::from_utf8_lossy(&body);
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|value| value.parse::<f64>().ok()).unwrap_or_default()
        };
        let viewers = value("barrage_gateway_connections");
        value("barrage_gateway_overload_level") == 0.0
            && viewers <= *self.others.get_or_init(|| viewers) * 1.1
    }
}
