//! Commands that start a server: `barrage up` and one for each role.

use anyhow::Context;
use barrage_recording::Limits;

use crate::cli::{ReplayArguments, RoleArguments, UpArguments};
use crate::config::Config;
use crate::process::probe::ProbeOptions;
use crate::process::{self, StartOptions};
use crate::ready::ReadyFd;
use crate::replay::Replay;
use crate::roles::Roles;
use crate::{cluster, telemetry};

/// Runs `barrage up` until a signal: all roles in this process, or a fleet of processes.
pub(crate) fn up(config: Config, arguments: &UpArguments) -> anyhow::Result<()> {
    telemetry::start(&config.log)?;
    if arguments.is_fleet() {
        return cluster::main(&config, arguments);
    }
    let ready = arguments.listen.ready_fd();
    let options = StartOptions {
        roles: Roles {
            webhooks: !config.webhooks.endpoints.is_empty(),
            media: config.media.is_on(),
            courier: config.has_inbox(Roles::ALL),
            push: config.has_push(),
            ..Roles::ALL
        },
        replay: replay(&arguments.replay, ready)?,
        demo: arguments.replay.demo,
        stops_with_stdin: false,
        ready,
    };
    process::main(config, options)
}

/// Runs one role in this process until a signal.
pub(crate) fn role(
    config: Config,
    roles: Roles,
    arguments: &RoleArguments,
    replayed: Option<&ReplayArguments>,
) -> anyhow::Result<()> {
    telemetry::start(&config.log)?;
    let ready = arguments.listen.ready_fd();
    let options = StartOptions {
        roles,
        replay: replayed.map(|arguments| replay(arguments, ready)).transpose()?.flatten(),
        demo: replayed.is_some_and(|arguments| arguments.demo),
        stops_with_stdin: arguments.with_stdin,
        ready,
    };
    process::main(config, options)
}

/// Runs the IRC gateway in this process until a signal.
pub(crate) fn irc(config: Config, arguments: &RoleArguments) -> anyhow::Result<()> {
    telemetry::start(&config.log)?;
    process::irc::main(config, arguments)
}

/// Runs the probe in this process until a signal.
pub(crate) fn probe(config: Config, arguments: &RoleArguments) -> anyhow::Result<()> {
    telemetry::start(&config.log)?;
    let ready = arguments.listen.ready_fd();
    process::probe::main(config, ProbeOptions { ready, stops_with_stdin: arguments.with_stdin })
}

/// Reads the recording that the arguments name, before anything starts.
fn replay(arguments: &ReplayArguments, ready: Option<ReadyFd>) -> anyhow::Result<Option<Replay>> {
    let (name, bytes, repeats) = match (&arguments.replay, arguments.demo) {
        (Some(path), _) => {
            let bytes =
                std::fs::read(path).with_context(|| format!("--replay {} cannot be read", path.display()))?;
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            (name, bytes, arguments.repeats)
        }
        (None, true) => ("the demo".to_owned(), barrage_recording::DEMO.to_vec(), true),
        (None, false) => return Ok(None),
    };
    let recording =
        barrage_recording::parse(&bytes, &Limits::default()).context("the recording cannot be read")?;
    let console = ReadyFd::console(ready);
    if recording.skipped.total() > 0 {
        console.print_line(format!(
            "  note    {} entries of the recording are skipped: {}",
            recording.skipped.total(),
            recording.skipped
        ))?;
    }
    let room = arguments.room.clone();
    let replay = Replay { name, recording, room, speed: arguments.speed, repeats, console };
    console.print_line(format!("  play    {}", replay.describe()))?;
    Ok(Some(replay))
}
