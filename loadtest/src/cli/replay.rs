//! `replay`: posts the dump of an uplink's flight recorder again.

use std::path::PathBuf;

use clap::Args;

use super::against::Against;
use super::io::say;
use super::run::{Files, conclude};
use crate::error::LoadtestError;
use crate::load::arrivals::Kind;
use crate::load::population::{self, Phase};
use crate::recording::dump::Dump;
use crate::recording::tape::{self, Tape};
use crate::scenario::{ReplayConfig, RoomsConfig, Scenario};

/// Time between the joins and the first post, and after the last post, in seconds.
const MARGIN_SECS: f64 = 1.0;

/// Replay a dump of an uplink's flight recorder to viewers.
///
/// Posts have the same kinds, sizes and intervals, and come from as many senders. The dump has no
/// texts and no names, so texts are generated. Posts that were held or refused are sent, too,
/// because the server decides again. The report is the same as that of `run`.
///
/// To replay a recorded danmaku file with its texts, use the scenario `replay`:
/// `run replay --recording FILE`.
///
///   curl -H "Authorization: Bearer $TOKEN" \
///       "http://127.0.0.1:8081/v1/admin/recorder/uplink?room=demo" > dump.jsonl
///   barrage-loadtest replay dump.jsonl --speed 2 --viewers 5000 --token-key data/token.key
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Replay {
    /// The dump: the answer of `GET /v1/admin/recorder/uplink?room=R`, or a file of the recorder's
    /// folder.
    dump: PathBuf,
    /// Factor on the recorded pace, 1 to 10. Limits of users and rooms are reached sooner then.
    #[arg(long, default_value_t = 1.0, value_parser = speed)]
    speed: f64,
    /// Viewers of the room.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    viewers: u32,
    /// Joins per second, before the first post.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    ramp_joins_per_s: u32,
    /// Room to replay into. When absent, the room of the dump. The room must exist, or be created
    /// with --admin and --token-key.
    #[arg(long)]
    room: Option<String>,
    #[command(flatten)]
    against: Against,
    #[command(flatten)]
    files: Files,
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (1.0..=10.0).contains(&speed) { Ok(speed) } else { Err("must be 1 to 10".into()) }
}

impl Replay {
    pub(crate) fn execute(self) -> Result<u8, LoadtestError> {
        let Tape::Dump(dump) = tape::load(Some(&self.dump))? else {
            let name = self.dump.display();
            return Err(LoadtestError::Usage(format!(
                "{name} is a danmaku file, not a dump: use `run replay --recording {name}`"
            )));
        };
        say(&describe(&dump))?;
        let scenario = self.scenario(&dump);
        conclude(&scenario, &self.against.options(), &self.files)
    }

    /// Returns the scenario: the viewers join, then the dump is replayed.
    fn scenario(&self, dump: &Dump) -> Scenario {
        let ramp_secs = (f64::from(self.viewers) / f64::from(self.ramp_joins_per_s)).max(0.5);
        let play_secs = dump.duration_ms() as f64 / 1_000.0 / self.speed;
        let phase =
            |phase, secs, to| Phase { phase, secs, to, chat_times: 1.0, gift_times: 1.0, like_times: 1.0 };
        let mut conditions = vec!["p99 < 500ms", "viewers.lost == 0", "posts.failed == 0"];
        if dump.count(Kind::Gift) > 0 {
            conditions.extend(["loss.gift == 0", "doubled.gift == 0"]);
        }
        let thresholds = conditions.iter().map(|text| text.parse().expect("of figures that exist"));
        let name = self.room.clone().unwrap_or_else(|| dump.room.clone());
        Scenario {
            name: "dump".into(),
            about: format!("{} at {} times its recorded pace", self.dump.display(), self.speed),
            viewers: self.viewers,
            phases: vec![
                phase(population::Kind::Ramp, ramp_secs, Some(1.0)),
                phase(population::Kind::Hold, play_secs + 2.0 * MARGIN_SECS, None),
            ],
            rooms: RoomsConfig { count: 1, name, zipf: 0.0 },
            recording: Some(self.dump.clone()),
            replay: Some(ReplayConfig {
                speed: self.speed,
                from_secs: 0.0,
                at_secs: ramp_secs + MARGIN_SECS,
            }),
            thresholds: thresholds.collect(),
            ..Scenario::default()
        }
    }
}

/// Describes the dump in one line.
fn describe(dump: &Dump) -> String {
    let retries = match dump.retries {
        0 => String::new(),
        retries => format!("; {retries} retries are not sent"),
    };
    format!(
        "{} s of the room {}: {} chat, {} gifts, {} likes by {} senders{retries}{}\n",
        dump.duration_ms().div_ceil(1_000),
        dump.room,
        dump.count(Kind::Chat),
        dump.count(Kind::Gift),
        dump.count(Kind::Like),
        dump.users,
        if dump.cut { "; the recorder had dropped older posts" } else { "" },
    )
}
