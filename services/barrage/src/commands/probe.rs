//! `barrage probe`: sends messages through the public path and measures when they are shown.

use std::time::Duration;

use anyhow::{Context, bail};
use barrage_probe::{RoomProbe, RoomProbeConfig};
use barrage_token::{Claims, Role, Rooms};

use super::runtime;
use crate::cli::ProbeArguments;
use crate::config::Config;
use crate::console::print_line;
use crate::data_dir::{self, MakeKey};
use crate::process::probe::own_entry_url;

/// Sends the messages and prints the time of each. Fails when a message is lost.
pub(crate) fn main(config: &Config, arguments: &ProbeArguments) -> anyhow::Result<()> {
    let token = match &arguments.token_file {
        Some(path) => std::fs::read_to_string(path)
            .with_context(|| format!("--token-file {}", path.display()))?
            .trim()
            .to_owned(),
        None => own_token(config, arguments)?,
    };
    let url = arguments.url.clone().or_else(|| own_entry_url(config));
    let url = url.context("the configuration has no public address; give one with --url")?;
    let probe = RoomProbeConfig {
        url: url.trim_end_matches('/').to_owned(),
        tls: config.client_tls()?,
        room: arguments.room.clone(),
        token,
        keep_file: arguments.keep_file.clone(),
        interval: Duration::from_millis(arguments.interval_ms),
        deadline: Duration::from_millis(arguments.deadline_ms),
    };
    runtime()?.block_on(run(probe, arguments.count))
}

async fn run(config: RoomProbeConfig, count: u32) -> anyhow::Result<()> {
    let interval = config.interval;
    let mut probe = RoomProbe::connect(config).await?;
    let mut lost = 0;
    for n in 1..=count {
        match probe.once().await {
            Ok(elapsed) => {
                print_line(format!("{n}/{count} shown after {:.1} ms", elapsed.as_secs_f64() * 1000.0))?
            }
            Err(error) => {
                lost += 1;
                print_line(format!("{n}/{count} failed: {:#}", anyhow::Error::from(error)))?;
            }
        }
        if n < count {
            tokio::time::sleep(interval).await;
        }
    }
    if lost > 0 {
        bail!("{lost} of {count} probes failed");
    }
    Ok(())
}

fn own_token(config: &Config, arguments: &ProbeArguments) -> anyhow::Result<String> {
    let keyring = data_dir::keyring(&config.data_dir, &config.token, MakeKey::Never)?;
    let now_secs = barrage_clock::since_unix_epoch().as_secs();
    let claims = Claims {
        sub: "probe".parse().context("the probe's user id")?,
        name: None,
        rooms: Rooms(vec![arguments.room.to_string()]),
        // A moderator is exempt from slow mode and mute-all, which are no failures of the path.
        role: Role::Moderator,
        exp: now_secs + 3_600,
        nbf: None,
        attrs: None,
        aud: String::new(),
    };
    Ok(keyring.mint(claims)?)
}
