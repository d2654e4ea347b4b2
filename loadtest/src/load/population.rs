//! The number of viewers over time, and the join and leave times that follow from it. Pure: no
//! action of the server changes them (open loop).

use serde::{Deserialize, Serialize};

/// One phase of a scenario, which changes the number of viewers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// How the number of viewers changes in the phase.
    pub phase: Kind,
    /// Duration in seconds: above 0, at most 86400.
    pub secs: f64,
    /// Share of all viewers that is present at the end, 0 to 1. `hold` has none, because the number
    /// stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<f64>,
    /// Factor on the scenario's chat rate. Default 1.
    #[serde(default = "once")]
    pub chat_times: f64,
    /// Factor on the scenario's gift rate. Default 1.
    #[serde(default = "once")]
    pub gift_times: f64,
    /// Factor on the scenario's like rate. Default 1.
    #[serde(default = "once")]
    pub like_times: f64,
}

fn once() -> f64 {
    1.0
}

/// Change of the number of viewers in a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The number of viewers grows linearly over the phase.
    Ramp,
    /// Grows by a constant factor per second, as when viewers invite others: the last tenth of the
    /// time brings a third of the viewers.
    Spike,
    /// The number of viewers stays constant over the phase.
    Hold,
    /// Shrinks linearly; the last viewers to join leave first.
    Leave,
}

impl Kind {
    /// Returns the name of the kind in scenario files.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Kind::Ramp => "ramp",
            Kind::Spike => "spike",
            Kind::Hold => "hold",
            Kind::Leave => "leave",
        }
    }
}

/// Steepness of a spike: e to this power is the ratio of the last growth rate to the first.
const STEEPNESS: f64 = 4.0;

#[derive(Debug, Clone)]
struct Segment {
    begin_secs: f64,
    end_secs: f64,
    from: f64,
    to: f64,
    phase: Phase,
}

impl Segment {
    /// Returns the intended viewers at `secs` after the start of the scenario.
    fn at(&self, secs: f64) -> f64 {
        let part = (secs - self.begin_secs) / (self.end_secs - self.begin_secs);
        let grown = match self.phase.phase {
            Kind::Spike => (STEEPNESS * part).exp_m1() / STEEPNESS.exp_m1(),
            Kind::Ramp | Kind::Hold | Kind::Leave => part,
        };
        self.from + (self.to - self.from) * grown
    }

    /// Time at which the number passes `viewers`, which lies between `from` and `to`.
    fn when(&self, viewers: f64) -> f64 {
        let grown = (viewers - self.from) / (self.to - self.from);
        let part = match self.phase.phase {
            Kind::Spike => (grown * STEEPNESS.exp_m1()).ln_1p() / STEEPNESS,
            Kind::Ramp | Kind::Hold | Kind::Leave => grown,
        };
        self.begin_secs + part * (self.end_secs - self.begin_secs)
    }
}

/// The number of viewers over the phases of a scenario.
#[derive(Debug, Clone)]
pub struct Population {
    segments: Vec<Segment>,
}

/// Stay of one viewer in its room, from its join to its leave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stay {
    /// Number of the viewer, from 0; it decides shard and source address.
    pub viewer: u32,
    /// Join time, in seconds after the start.
    pub join_secs: f64,
    /// Leave time, in seconds after the start; absent when the viewer stays to the end.
    pub leave_secs: Option<f64>,
}

impl Population {
    /// The curve over the phases; it begins with 0 viewers.
    #[must_use]
    pub fn new(phases: &[Phase], viewers: u32) -> Self {
        let (mut clock, mut present) = (0.0, 0.0);
        let segments = phases.iter().map(|phase| {
            let (begin_secs, from) = (clock, present);
            clock += phase.secs;
            present = phase.to.map_or(present, |share| (share * f64::from(viewers)).round());
            Segment { begin_secs, end_secs: clock, from, to: present, phase: phase.clone() }
        });
        Population { segments: segments.collect() }
    }

    /// Returns the length of all phases together, in seconds.
    #[must_use]
    pub fn secs(&self) -> f64 {
        self.segments.last().map_or(0.0, |segment| segment.end_secs)
    }

    /// Intended viewers and the phase at a time; `None` after the end.
    #[must_use]
    pub fn at(&self, secs: f64) -> Option<(f64, &Phase)> {
        let segment = self.segments.iter().find(|segment| secs < segment.end_secs)?;
        Some((segment.at(secs), &segment.phase))
    }

    /// Intended viewers at the end. They stay while messages may still arrive.
    #[must_use]
    pub fn at_end(&self) -> f64 {
        self.segments.last().map_or(0.0, |segment| segment.to)
    }

    /// Returns the greatest intended number of viewers over all phases.
    #[must_use]
    pub fn peak(&self) -> u32 {
        self.segments.iter().map(|segment| segment.to).fold(0.0, f64::max) as u32
    }

    /// Stays of a viewer. Viewer `n` is present while the curve is at `n + 1` or above.
    #[must_use]
    pub fn stays(&self, viewer: u32) -> Vec<Stay> {
        let level = f64::from(viewer) + 1.0;
        let (mut stays, mut joined) = (Vec::new(), None);
        for segment in &self.segments {
            if segment.from < level && level <= segment.to {
                joined = Some(segment.when(level));
            } else if segment.to < level && level <= segment.from {
                let leave_secs = Some(segment.when(level));
                stays.extend(joined.take().map(|join_secs| Stay { viewer, join_secs, leave_secs }));
            }
        }
        stays.extend(joined.map(|join_secs| Stay { viewer, join_secs, leave_secs: None }));
        stays
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn phase(phase: Kind, secs: f64, to: Option<f64>) -> Phase {
        Phase { phase, secs, to, chat_times: 1.0, gift_times: 1.0, like_times: 1.0 }
    }

    #[test]
    fn spike_brings_most_viewers_at_its_end() {
        let population = Population::new(&[phase(Kind::Spike, 10.0, Some(1.0))], 1_000);
        let at = |secs| population.at(secs).unwrap().0;
        assert!(at(5.0) < 150.0, "{}", at(5.0));
        assert!((300.0..400.0).contains(&(1_000.0 - at(9.0))), "{}", at(9.0));
    }

    fn phases() -> impl Strategy<Value = Vec<Phase>> {
        let one = (0..4_u8, 0.1..20.0_f64, 0.0..=1.0_f64);
        prop::collection::vec(one, 1..8).prop_map(|drawn| {
            let mut present = 0.0;
            let kinds = drawn.into_iter().map(|(kind, secs, to)| {
                let (kind, to) = match kind {
                    0 => (Kind::Hold, None),
                    1 if to >= present => (Kind::Spike, Some(to)),
                    _ if to >= present => (Kind::Ramp, Some(to)),
                    _ => (Kind::Leave, Some(to)),
                };
                present = to.unwrap_or(present);
                phase(kind, secs, to)
            });
            kinds.collect()
        })
    }

    proptest! {
        /// The number of stays at any time is the curve.
        #[test]
        fn stays_add_up_to_the_curve(phases in phases(), viewers in 1..300_u32, part in 0.0..1.0_f64) {
            let population = Population::new(&phases, viewers);
            let stays: Vec<_> = (0..viewers).flat_map(|viewer| population.stays(viewer)).collect();
            let secs = part * population.secs();
            let present = stays.iter().filter(|stay| {
                stay.join_secs <= secs && stay.leave_secs.is_none_or(|leave| secs < leave)
            });
            let wanted = population.at(secs).unwrap().0;
            let present = present.count() as f64;
            prop_assert!((present - wanted).abs() <= 1.0, "{present} instead of {wanted} at {secs}");
            for stay in stays {
                prop_assert!(stay.leave_secs.is_none_or(|leave| leave >= stay.join_secs));
            }
        }
    }
}
