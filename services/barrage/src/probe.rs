//! `barrage probe`.

use std::time::Duration;

use anyhow::{Context, bail};
use barrage_probe::{Probe, ProbeConfig};
use barrage_token::{Claims, Role, Rooms};

use crate::cli::{ProbeArguments, say};
use crate::config::Config;
use crate::data_dir::{self, MakeKey};

/// Sends so many messages, prints each one's time, and fails when one is lost.
pub(crate) fn main(config: &Config, asked: &ProbeArguments) -> anyhow::Result<()> {
    let token = match &asked.token_file {
        Some(path) => std::fs::read_to_string(path)
            .with_context(|| format!("--token-file {}", path.display()))?
            .trim()
            .to_owned(),
        None => own_token(config, asked)?,
    };
    let host = || config.listen.first().map(|address| crate::config::reachable(*address).remove(0));
    let url = asked.url.clone().or_else(|| Some(format!("http://{}", host()?)));
    let url = url.context("there is no public address: give --url")?;
    let probe = ProbeConfig {
        url: url.trim_end_matches('/').to_owned(),
        room: asked.room.clone(),
        token,
        interval: Duration::from_millis(asked.interval_ms),
        deadline: Duration::from_millis(asked.deadline_ms),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(run(probe, asked.count))
}

async fn run(config: ProbeConfig, count: u32) -> anyhow::Result<()> {
    let interval = config.interval;
    let mut probe = Probe::connect(config).await?;
    let mut lost = 0;
    for n in 1..=count {
        match probe.once().await {
            Ok(elapsed) => say(format!("{n}/{count} shown after {:.1} ms", elapsed.as_secs_f64() * 1000.0))?,
            Err(error) => {
                lost += 1;
                say(format!("{n}/{count} failed: {:#}", anyhow::Error::from(error)))?;
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

fn own_token(config: &Config, asked: &ProbeArguments) -> anyhow::Result<String> {
    let keyring = data_dir::keyring(&config.data_dir, &config.token, MakeKey::Never)?;
    let now_secs = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    let claims = Claims {
        sub: "probe".parse().context("the probe's user id")?,
        name: None,
        rooms: Rooms(vec![asked.room.to_string()]),
        // Slow mode and mute-all are no failures of the path.
        role: Role::Moderator,
        exp: now_secs + 3_600,
        nbf: None,
        aud: String::new(),
    };
    Ok(keyring.mint(claims)?)
}
