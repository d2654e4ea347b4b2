//! Recording that a server process plays.

use std::path::PathBuf;

use barrage_protocol::RoomId;
use clap::Args;

use super::value::parse;

/// Recording that the process plays.
#[derive(Debug, Args)]
pub(crate) struct ReplayArguments {
    /// Play the included recording into the room `demo`, in a loop.
    #[arg(long, conflicts_with = "replay")]
    pub(crate) demo: bool,
    /// Play a recorded danmaku file (Bilibili XML) into a room at its own pace.
    #[arg(long, value_name = "FILE")]
    pub(crate) replay: Option<PathBuf>,
    /// Room to replay into; created if it does not exist.
    #[arg(long, value_name = "ROOM", default_value = "demo", value_parser = parse::<RoomId>)]
    pub(crate) room: RoomId,
    /// Replay at this multiple of the recorded pace (0.01 to 1000).
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = speed)]
    pub(crate) speed: f64,
    /// Start the replay again when it ends.
    #[arg(long = "loop")]
    pub(crate) repeats: bool,
}

impl ReplayArguments {
    /// Returns the arguments as a command line for another process.
    pub(crate) fn command_line(&self) -> anyhow::Result<Vec<String>> {
        if self.demo {
            return Ok(vec!["--demo".into()]);
        }
        let Some(file) = &self.replay else { return Ok(Vec::new()) };
        let file = file.to_string_lossy().into_owned();
        let (room, speed) = (self.room.to_string(), self.speed.to_string());
        let mut words = vec!["--replay".into(), file, "--room".into(), room, "--speed".into(), speed];
        words.extend(self.repeats.then(|| "--loop".into()));
        Ok(words)
    }
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| format!("{text} is not a number"))?;
    if (0.01..=1000.0).contains(&speed) { Ok(speed) } else { Err("must be 0.01 to 1000".into()) }
}
