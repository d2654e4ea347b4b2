//! Joins the messages of the workers, second by second.

use std::collections::BTreeMap;

use super::fleet::FleetReader;
use super::scrape::Scraper;
use crate::live::Live;
use crate::load::population::Population;
use crate::measure::interval::Interval;
use crate::out::HdrLog;
use crate::plan::Plan;
use crate::report::Second;

/// Measurements of a run that the workers have sent so far.
pub(crate) struct Gathered {
    workers: u32,
    population: Population,
    end_secs: f64,
    live: Live,
    pub(crate) log: Option<HdrLog>,
    /// Seconds for which some workers have reported.
    open: BTreeMap<u32, Open>,
    pub(crate) series: Vec<Second>,
    pub(crate) total: Interval,
}

#[derive(Default)]
struct Open {
    workers_reported: u32,
    interval: Interval,
    cpu_secs: f64,
}

impl Gathered {
    pub(crate) fn new(plan: &Plan, live: Live, log: Option<HdrLog>) -> Self {
        Gathered {
            workers: plan.workers,
            population: plan.scenario.population(),
            end_secs: plan.scenario.population().secs() + plan.scenario.settle_secs,
            live,
            log,
            open: BTreeMap::new(),
            series: Vec::new(),
            total: Interval::default(),
        }
    }

    /// Adds a worker's second, and returns the seconds that are now complete.
    pub(crate) fn tick(
        &mut self,
        second: u32,
        interval: &Interval,
        cpu_secs: f64,
        scraped: &Scraper,
        fleet: &FleetReader,
    ) -> &[Second] {
        let open = self.open.entry(second).or_default();
        open.workers_reported += 1;
        open.interval.add(interval);
        open.cpu_secs += cpu_secs;
        let before = self.series.len();
        if open.workers_reported == self.workers {
            self.close(second, scraped, fleet);
        }
        &self.series[before..]
    }

    /// Closes all seconds up to this one, including those for which a worker has not reported.
    pub(crate) fn close(&mut self, second: u32, scraped: &Scraper, fleet: &FleetReader) {
        let later = self.open.split_off(&second.saturating_add(1));
        for (second, open) in std::mem::replace(&mut self.open, later) {
            let at = f64::from(second) + 1.0;
            let wanted = match self.population.at(at) {
                Some((viewers, _)) => viewers,
                None if at < self.end_secs => self.population.at_end(),
                None => 0.0,
            };
            self.live.add(wanted, &open.interval);
            if let Some(log) = &mut self.log {
                log.add(second, &open.interval);
            }
            let (server_cores, server_memory_bytes) = scraped.at(second);
            self.series.push(Second {
                tester_cores: open.cpu_secs,
                server_cores,
                server_memory_bytes,
                gateways: fleet.at(second),
                ..Second::new(second, wanted, &open.interval)
            });
            self.total.add(&open.interval);
        }
    }
}
