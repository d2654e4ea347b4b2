//! `barrage up`: every role in one process, or a fleet of processes on this machine.

use anyhow::Context;
use barrage_recording::Limits;

use crate::cli::{self, ReplayArguments, RoleArguments, Up};
use crate::config::Config;
use crate::process::{self, Asked};
use crate::replay::Replay;
use crate::roles::Roles;
use crate::{cluster, telemetry};

/// Runs until a signal.
pub(crate) fn main(config: Config, asked: &Up) -> anyhow::Result<()> {
    telemetry::start(&config.log)?;
    if asked.cluster || asked.autoscale || asked.gateways.is_some() || asked.uplinks.is_some() {
        return cluster::main(&config, asked);
    }
    let replay = recording(&asked.replay)?;
    let demo = asked.replay.demo;
    process::main(config, Asked { roles: Roles::ALL, replay, demo, with_stdin: false })
}

/// Runs one role until a signal.
pub(crate) fn role(
    config: Config,
    roles: Roles,
    asked: &RoleArguments,
    replay: Option<&ReplayArguments>,
) -> anyhow::Result<()> {
    telemetry::start(&config.log)?;
    let demo = replay.is_some_and(|replay| replay.demo);
    let replay = replay.map(recording).transpose()?.flatten();
    process::main(config, Asked { roles, replay, demo, with_stdin: asked.with_stdin })
}

/// The recording that the flags ask for, read before anything is started.
fn recording(asked: &ReplayArguments) -> anyhow::Result<Option<Replay>> {
    let (name, bytes, again) = match (&asked.replay, asked.demo) {
        (Some(path), _) => {
            let bytes =
                std::fs::read(path).with_context(|| format!("--replay {} cannot be read", path.display()))?;
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            (name, bytes, asked.again)
        }
        (None, true) => ("the demo".to_owned(), barrage_recording::DEMO.to_vec(), true),
        (None, false) => return Ok(None),
    };
    let recording =
        barrage_recording::parse(&bytes, &Limits::default()).context("the recording cannot be read")?;
    if recording.skipped.total() > 0 {
        cli::say(format!(
            "  note    of the recording, {} entries are left out: {}",
            recording.skipped.total(),
            recording.skipped
        ))?;
    }
    let replay = Replay { name, recording, room: asked.room.clone(), speed: asked.speed, again };
    cli::say(format!("  play    {}", replay.describe()))?;
    Ok(Some(replay))
}
