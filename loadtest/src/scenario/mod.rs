//! A scenario: when viewers come, what they post, what fails, and which thresholds must hold.

mod mistakes;
pub mod popularity;
pub mod shipped;
pub mod threshold;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use self::threshold::Threshold;
use crate::load::arrivals::{self, Kind};
use crate::load::population::{self, Phase, Population};

/// A scenario, as in its YAML file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Name of the scenario, which reports and comparisons show.
    pub name: String,
    /// Purpose of the scenario, in one sentence.
    #[serde(default)]
    pub about: String,
    /// All viewers: the shares in the phases are shares of this number. 1 to 1,000,000.
    pub viewers: u32,
    /// Number of viewers for which the rates below are meant. With other `viewers`, the rates change
    /// inversely, so that each viewer of a part of the room receives as many messages as in the whole
    /// room. Default: the rates are of each viewer, however many there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates_for_viewers: Option<u32>,
    /// Phases of the run, one after the other.
    pub phases: Vec<Phase>,
    /// The rooms. Default: the one room `demo`.
    #[serde(default)]
    pub rooms: RoomsConfig,
    /// Chat messages of one viewer in a minute, on average. Default 0.
    #[serde(default)]
    pub chat_per_viewer_per_min: f64,
    /// Gifts of one viewer in a minute, on average. Default 0.
    #[serde(default)]
    pub gifts_per_viewer_per_min: f64,
    /// Likes of one viewer in a minute, on average. Default 0.
    #[serde(default)]
    pub likes_per_viewer_per_min: f64,
    /// Danmaku file whose texts are posted, or a flight recorder's dump for `replay`. A relative
    /// path starts at the working directory. Default: a small danmaku file inside the binary.
    #[serde(default)]
    pub recording: Option<PathBuf>,
    /// Length of generated chat texts in characters of three bytes each, 1 to 1000. Default: the
    /// texts of the recording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_chars: Option<u32>,
    /// Replay the recording at its own pace into the first room, instead of drawing random texts at
    /// the rates above.
    #[serde(default)]
    pub replay: Option<ReplayConfig>,
    /// Viewers that read slowly, to cause backpressure. Default: none.
    #[serde(default)]
    pub slow: SlowConfig,
    /// Faults at fixed times of the run. Default: none.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// Messages of the history that each viewer reads once, when its page opens: behind its first hello, what
    /// is before the position in it. Default 0 for none, at most 1,000.
    #[serde(default)]
    pub history: u32,
    /// How viewers identify themselves at the join. Default: anonymous.
    #[serde(default)]
    pub viewer_identity: Identity,
    /// Encoding that viewers request. Default deflate, like the player page.
    #[serde(default)]
    pub encoding: Encoding,
    /// Time after the last phase in which messages may still arrive, while nothing is posted.
    /// Default 3, 1 to 60: a message that arrives later counts as lost.
    #[serde(default = "settle_secs")]
    pub settle_secs: f64,
    /// Greatest 99th percentile of the load tester's own delay, in milliseconds. Above it the run
    /// is invalid, because its figures would be those of the load tester. Default 100.
    #[serde(default = "tester_lag_p99_ms_max")]
    pub tester_lag_p99_ms_max: f64,
    /// Conditions on figures; if one does not hold, the exit code is 1.
    #[serde(default)]
    pub thresholds: Vec<Threshold>,
}

impl Default for Scenario {
    /// One viewer that posts nothing, without a phase.
    fn default() -> Self {
        Scenario {
            name: String::new(),
            about: String::new(),
            viewers: 1,
            rates_for_viewers: None,
            phases: Vec::new(),
            rooms: RoomsConfig::default(),
            chat_per_viewer_per_min: 0.0,
            gifts_per_viewer_per_min: 0.0,
            likes_per_viewer_per_min: 0.0,
            recording: None,
            text_chars: None,
            replay: None,
            slow: SlowConfig::default(),
            faults: Vec::new(),
            history: 0,
            viewer_identity: Identity::default(),
            encoding: Encoding::default(),
            settle_secs: settle_secs(),
            tester_lag_p99_ms_max: tester_lag_p99_ms_max(),
            thresholds: Vec::new(),
        }
    }
}

fn settle_secs() -> f64 {
    3.0
}

fn tester_lag_p99_ms_max() -> f64 {
    100.0
}

/// Rooms of a scenario, and how viewers choose among them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoomsConfig {
    /// Number of rooms. Default 1, at most 20,000. More than one room is created through the admin
    /// API.
    pub count: u32,
    /// Name of the room, or the beginning of the names (`NAME-1`, the most popular, and so on).
    /// Default `demo`.
    pub name: String,
    /// Exponent of Zipf's law: 0 is uniform, 1 gives the first room twice the viewers of the
    /// second. Default 1.
    pub zipf: f64,
}

impl Default for RoomsConfig {
    fn default() -> Self {
        RoomsConfig { count: 1, name: "demo".into(), zipf: 1.0 }
    }
}

/// Pace, offset and start time with which a recording is replayed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReplayConfig {
    /// Factor on the recorded pace, 0.01 to 1000. Default 1.
    pub speed: f64,
    /// Offset into the recording at which the replay begins, in seconds. Default 0.
    pub from_secs: f64,
    /// Time after the start of the scenario at which the replay begins, in seconds. Default 0.
    pub at_secs: f64,
}

impl Default for ReplayConfig {
    fn default() -> Self {
        ReplayConfig { speed: 1.0, from_secs: 0.0, at_secs: 0.0 }
    }
}

/// Viewers that read slowly. Their deliveries are late because of the load tester, so they are not
/// in the latencies; their gifts are checked like those of other viewers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SlowConfig {
    /// Share of the viewers, 0 to 1. Default 0.
    pub share: f64,
    /// Reading speed in bytes per second. Default 2000, at least 1.
    pub bytes_per_s: u32,
}

impl Default for SlowConfig {
    fn default() -> Self {
        SlowConfig { share: 0.0, bytes_per_s: 2_000 }
    }
}

/// A fault that happens at one moment of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Time of the fault after the start of the run, in seconds.
    pub at_secs: f64,
    /// Share of the connections that are reset, as when a gateway dies; their viewers reconnect
    /// with a resume. When the run has a hook, the hook runs instead.
    pub cut_share: f64,
}

/// How viewers identify themselves when they join.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    /// The viewer joins without a token, so that no signature is checked.
    #[default]
    Anonymous,
    /// With a token in the handshake, which the gateway verifies.
    Token,
}

/// Encoding that viewers request with the WebSocket subprotocol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// The subprotocol `barrage.v1.deflate`, whose batches are compressed.
    #[default]
    Deflate,
    /// The subprotocol `barrage.v1.json`, whose batches are plain text.
    Json,
}

/// Why a text is not a scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The text is not YAML, or lacks the form of a scenario.
    #[error("{0}")]
    Form(String),
    /// All mistakes: unknown keys, wrong types, and values out of range.
    #[error("the scenario is not valid:\n  {}", .0.join("\n  "))]
    Values(Vec<String>),
}

/// Most posts of one run. Each one is stored to the end, for the check of what arrived.
const POSTS_MAX: f64 = 5_000_000.0;
/// Maximum length of a phase, in seconds: one day.
const PHASE_SECS_MAX: f64 = 86_400.0;

impl Scenario {
    /// Parses and checks a text. The error lists all mistakes: wrong types, and values out of
    /// range.
    pub fn parse(yaml: &str) -> Result<Scenario, ScenarioError> {
        let error = match serde_saphyr::from_str::<Scenario>(yaml) {
            Ok(scenario) => return scenario.check().map(|()| scenario),
            Err(error) => error.to_string(),
        };
        let (mut mistakes, rest) = mistakes::of(yaml);
        if let Some(Err(ScenarioError::Values(values))) = rest.map(|rest| rest.check()) {
            mistakes.extend(values);
        }
        match mistakes.len() {
            // For a single mistake, the error shows the line with a caret.
            0 => Err(ScenarioError::Form(error)),
            1 => Err(ScenarioError::Form(format!("{error}\n{}", mistakes[0]))),
            _ => Err(ScenarioError::Values(mistakes)),
        }
    }

    /// Returns the intended number of viewers over the time of the phases.
    #[must_use]
    pub fn population(&self) -> Population {
        Population::new(&self.phases, self.viewers)
    }

    /// Rate of a kind, per viewer and second; 0 while a recording is replayed.
    #[must_use]
    pub fn rate(&self, kind: Kind) -> f64 {
        let per_min = match kind {
            _ if self.replay.is_some() => 0.0,
            Kind::Chat => self.chat_per_viewer_per_min,
            Kind::Gift => self.gifts_per_viewer_per_min,
            Kind::Like => self.likes_per_viewer_per_min,
        };
        per_min / 60.0 / self.viewers_share()
    }

    /// Returns the viewers as a share of those for which the rates are meant; 1 where the rates are of each viewer.
    #[must_use]
    pub fn viewers_share(&self) -> f64 {
        self.rates_for_viewers.map_or(1.0, |meant| f64::from(self.viewers) / f64::from(meant))
    }

    /// Greatest number of posts per second, over all kinds.
    #[must_use]
    pub fn posts_per_s_max(&self) -> f64 {
        let population = self.population();
        let rate = |kind| arrivals::rate_max(&population, &self.phases, kind, self.rate(kind));
        Kind::ALL.into_iter().map(rate).sum()
    }

    /// Whether the scenario posts anything, so that senders need tokens.
    #[must_use]
    pub fn posts(&self) -> bool {
        self.replay.is_some() || self.posts_per_s_max() > 0.0
    }

    /// Checks all values, and returns every mistake.
    pub fn check(&self) -> Result<(), ScenarioError> {
        let mut wrong = Vec::new();
        let mut range = |key: &str, value: f64, min: f64, max: f64| {
            if !(min..=max).contains(&value) {
                wrong.push(format!("{key} = {value}: must be {min} to {max}"));
            }
        };
        range("viewers", f64::from(self.viewers), 1.0, 1_000_000.0);
        range("rates_for_viewers", f64::from(self.rates_for_viewers.unwrap_or(1)), 1.0, 1_000_000.0);
        range("phases (number of them)", self.phases.len() as f64, 1.0, 100.0);
        range("rooms.count", f64::from(self.rooms.count), 1.0, 20_000.0);
        range("rooms.zipf", self.rooms.zipf, 0.0, 10.0);
        range("chat_per_viewer_per_min", self.chat_per_viewer_per_min, 0.0, 6_000.0);
        range("gifts_per_viewer_per_min", self.gifts_per_viewer_per_min, 0.0, 6_000.0);
        range("likes_per_viewer_per_min", self.likes_per_viewer_per_min, 0.0, 6_000.0);
        range("slow.share", self.slow.share, 0.0, 1.0);
        range("slow.bytes_per_s", f64::from(self.slow.bytes_per_s), 1.0, 1e9);
        range("history", f64::from(self.history), 0.0, 1_000.0);
        range("settle_secs", self.settle_secs, 1.0, 60.0);
        range("tester_lag_p99_ms_max", self.tester_lag_p99_ms_max, 1.0, 60_000.0);
        range("text_chars", f64::from(self.text_chars.unwrap_or(1)), 1.0, 1_000.0);
        if let Some(replay) = &self.replay {
            range("replay.speed", replay.speed, 0.01, 1_000.0);
            range("replay.from_secs", replay.from_secs, 0.0, 604_800.0);
            range("replay.at_secs", replay.at_secs, 0.0, PHASE_SECS_MAX);
        }
        let mut present = 0.0;
        for (n, phase) in self.phases.iter().enumerate() {
            let key = |name: &str| format!("phases[{n}].{name}");
            range(&key("secs"), phase.secs, 0.01, PHASE_SECS_MAX);
            range(&key("chat_times"), phase.chat_times, 0.0, 10_000.0);
            range(&key("gift_times"), phase.gift_times, 0.0, 10_000.0);
            range(&key("like_times"), phase.like_times, 0.0, 10_000.0);
            let (least, most) = match phase.phase {
                population::Kind::Ramp | population::Kind::Spike => (present, 1.0),
                population::Kind::Leave => (0.0, present),
                population::Kind::Hold => (present, present),
            };
            let to = phase.to.unwrap_or(if phase.phase == population::Kind::Hold { present } else { -1.0 });
            range(&key("to"), to, least, most);
            present = to;
        }
        let secs = self.phases.iter().map(|phase| phase.secs).sum::<f64>();
        for (n, fault) in self.faults.iter().enumerate() {
            range(&format!("faults[{n}].at_secs"), fault.at_secs, 0.0, secs);
            range(&format!("faults[{n}].cut_share"), fault.cut_share, 0.0, 1.0);
        }
        range("posts (greatest rate x seconds)", self.posts_per_s_max() * secs, 0.0, POSTS_MAX);
        if barrage_protocol::RoomId::parse(&format!("{}-{}", self.rooms.name, self.rooms.count)).is_err() {
            wrong.push(format!("rooms.name = {}: must be short and of A-Z a-z 0-9 _ -", self.rooms.name));
        }
        if wrong.is_empty() { Ok(()) } else { Err(ScenarioError::Values(wrong)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "name: a\nviewers: 10\nphases:\n  - {phase: ramp, secs: 1, to: 1}\n";

    #[test]
    fn absent_keys_have_defaults() {
        let scenario = Scenario::parse(SMALL).unwrap();
        assert_eq!(scenario.rooms, RoomsConfig::default());
        assert!(!scenario.posts());
        assert_eq!(scenario.population().peak(), 10);
    }

    #[test]
    fn unknown_key_is_refused_by_name() {
        for extra in
            ["viewer: 3", "rooms: {cout: 3}", "slow: {shares: 0.5}", "faults: [{at: 3, cut_share: 1}]"]
        {
            let error = Scenario::parse(&format!("{SMALL}{extra}\n")).unwrap_err().to_string();
            assert!(error.contains("unknown"), "{extra}: {error}");
        }
        let error = Scenario::parse(&SMALL.replace("secs", "second")).unwrap_err().to_string();
        assert!(error.contains("second"), "{error}");
    }

    #[test]
    fn all_values_out_of_range_are_reported_at_once() {
        let text = format!("{SMALL}  - {{phase: ramp, secs: 0, to: 0.5}}\nslow: {{share: 2}}\n");
        let error = Scenario::parse(&text).unwrap_err().to_string();
        for key in ["phases[1].secs", "phases[1].to", "slow.share"] {
            assert!(error.contains(key), "{key} is not in {error}");
        }
    }

    #[test]
    fn type_and_range_mistakes_are_reported_together() {
        let text = format!("{SMALL}slow: {{share: 2}}\nsetle_secs: 3\nencoding: jsno\n");
        let error = Scenario::parse(&text).unwrap_err().to_string();
        for part in ["slow.share = 2", "did you mean `settle_secs`", "did you mean `json`"] {
            assert!(error.contains(part), "{part} is not in {error}");
        }
    }

    #[test]
    fn single_mistake_is_shown_in_its_line_with_a_hint() {
        let error = Scenario::parse(&format!("{SMALL}setle_secs: 3\n")).unwrap_err().to_string();
        assert!(error.contains('^') && error.contains("did you mean `settle_secs`?"), "{error}");
    }

    #[test]
    fn threshold_on_an_unknown_figure_is_refused() {
        let error = Scenario::parse(&format!("{SMALL}thresholds: [\"p42 < 1ms\"]\n")).unwrap_err();
        assert!(error.to_string().contains("p42"), "{error}");
    }
}
