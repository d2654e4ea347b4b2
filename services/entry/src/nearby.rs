//! Entry's knowledge of distance: the region file, the race times, and the factors that follow.

use std::net::IpAddr;
use std::time::Duration;

use barrage_bus::Registered;
use barrage_protocol::entry::RaceReport;
use parking_lot::Mutex;

use crate::answer::RegionTable;
use crate::config::EntryConfig;
use crate::error::EntryError;
use crate::metrics::EntryMetrics;
use crate::place::{Location, PlaceConfig, PlaceMatch, Prospect, factors, place_ms};
use crate::placement::uplink_order;
use crate::race::{FAILED_MS, Ignored, Kind, RaceLimits, RaceTimes, Reading, Source};

/// Orders endpoints by their distance from a client.
#[derive(Debug)]
pub(crate) struct Nearby {
    config: PlaceConfig,
    regions: RegionTable,
    /// Race times that clients reported to this entry. Each entry learns by itself.
    races: Mutex<RaceTimes>,
    metrics: EntryMetrics,
}

/// The instances that a report can name.
pub(crate) struct Fleet<'a> {
    pub(crate) gateways: &'a [Registered],
    pub(crate) uplinks: &'a [Registered],
}

impl Nearby {
    /// Reads the region file of the configuration.
    ///
    /// # Errors
    /// When the region file cannot be read or parsed.
    pub(crate) fn new(config: &EntryConfig, metrics: EntryMetrics) -> Result<Self, EntryError> {
        let regions = match &config.region_file {
            Some(path) => RegionTable::load(path)?,
            None => RegionTable::default(),
        };
        let limits = RaceLimits {
            sources_min: config.place.race_sources_min,
            half_life: Duration::from_secs(config.place.race_half_life_secs),
        };
        let races = Mutex::new(RaceTimes::new(limits));
        Ok(Nearby { config: config.place.clone(), regions, races, metrics })
    }

    /// Returns the location of an address by the region file. A client cannot name a location itself.
    pub(crate) fn locate(&self, address: IpAddr) -> Location {
        self.regions.locate(address)
    }

    /// Returns the factor of each instance's share for a client, by place and race times.
    pub(crate) fn factors(
        &self,
        location: &Location,
        kind: Kind,
        instances: &[Registered],
        now: Duration,
    ) -> Vec<f64> {
        let ids = instances.iter().map(|instance| instance.report.id.as_str());
        let medians = self.races.lock().medians(location, kind, ids, now);
        let prospects: Vec<_> = instances
            .iter()
            .zip(medians)
            .map(|(instance, race_ms)| {
                let place_ms = place_ms(&self.config, location, &instance.report.place);
                Prospect { place_ms, race_ms }
            })
            .collect();
        factors(&self.config, &prospects)
    }

    /// Returns the indices of all uplinks in the order that a client tries them.
    pub(crate) fn uplink_order(
        &self,
        location: &Location,
        uplinks: &[Registered],
        now: Duration,
    ) -> Vec<usize> {
        let factors = self.factors(location, Kind::Uplink, uplinks, now);
        let busy: Vec<f64> =
            uplinks.iter().map(|one| one.report.uplink.map_or(0.0, |load| load.busy)).collect();
        uplink_order(&busy, &factors, rand::random::<f64>)
    }

    /// Counts a newcomer by how near its first gateway is.
    pub(crate) fn count_placed(&self, location: &Location, gateway: &Registered) {
        let place: PlaceMatch = location.compare(&gateway.report.place);
        self.metrics.placed.with_label_values(&[place.label()]).inc();
    }

    /// Takes the race times of a client's report. `uplink_of` returns the id of an uplink by its base
    /// URL.
    pub(crate) fn take_report(
        &self,
        report: &RaceReport,
        from: IpAddr,
        fleet: &Fleet<'_>,
        uplink_of: impl Fn(&str) -> Option<String>,
        now: Duration,
    ) {
        let has = |instances: &[Registered], id: &str| instances.iter().any(|one| one.report.id == id);
        let gateway = |id: &str| has(fleet.gateways, id).then(|| id.to_owned());
        let mut reading = Reading::of(report, gateway, uplink_of);
        self.metrics.race.failures.inc_by(reading.failures);
        for one in reading.measured.iter().filter(|one| one.ms < FAILED_MS) {
            self.metrics.race.seconds.observe(one.ms / 1_000.0);
        }
        let is_known = |kind: Kind, id: &str| match kind {
            Kind::Gateway => has(fleet.gateways, id),
            Kind::Uplink => has(fleet.uplinks, id),
        };
        let mut races = self.races.lock();
        let full = races.take(&self.locate(from), Source::of(from), &reading.measured, is_known, now);
        let pairs = races.pairs();
        drop(races);
        self.metrics.race.pairs.set(i64::try_from(pairs).unwrap_or(i64::MAX));
        reading.ignored.extend(std::iter::repeat_n(Ignored::TableFull, full));
        for reason in reading.ignored {
            self.metrics.race.ignored.with_label_values(&[reason.label()]).inc();
        }
    }
}
