//! `barrage doctor`: checks every dependency of a configuration and suggests fixes; changes
//! nothing. `barrage bus ensure`: declares the streams and buckets.

mod files;
mod fleet;

use std::time::Duration;

use anyhow::{Context, bail};
use barrage_bus::nats::{Finding, Level};
use barrage_bus::{BusMetrics, NatsBus, NatsConfig};
use prometheus::Registry;

use crate::cli::say;
use crate::config::{Config, Problem};

/// Descriptors besides those of viewers: listeners, servers, files, requests.
const OTHER_DESCRIPTORS: u64 = 2_000;
const TIMEOUT: Duration = Duration::from_secs(5);

/// Runs all checks; an error when something is bad.
pub(crate) fn main(config: &Config, problems: &[Problem]) -> anyhow::Result<()> {
    let found = runtime()?.block_on(async {
        let mut found = files::findings(config, problems);
        found.extend([descriptors(config), data_dir(config)]);
        found.extend(fleet::findings(config).await);
        found.extend(nats(config).await);
        found.extend(redis(config).await);
        found.extend(postgres(config).await);
        found
    });
    print(&found)
}

/// `barrage bus ensure`.
pub(crate) fn ensure(config: &Config) -> anyhow::Result<()> {
    let Some(nats) = &config.nats else {
        return say("the bus is embedded: it has nothing to declare ([nats] names servers)");
    };
    let found = runtime()?.block_on(check(config, NatsConfig { declare: true, ..nats.clone() }))?;
    print(&found)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().context("no runtime")
}

fn print(found: &[Finding]) -> anyhow::Result<()> {
    for finding in found {
        let word = match finding.level {
            Level::Good => "good",
            Level::Risk => "RISK",
            Level::Bad => "BAD ",
        };
        say(format!("{word}  {}", finding.text))?;
    }
    let bad = found.iter().filter(|finding| finding.level == Level::Bad).count();
    if bad > 0 { bail!("{bad} of {} checks are bad", found.len()) } else { Ok(()) }
}

fn finding(level: Level, text: impl Into<String>) -> Finding {
    Finding { level, text: text.into() }
}

fn descriptors(config: &Config) -> Finding {
    let limits = procfs::process::Process::myself().and_then(|process| process.limits());
    let wanted = config.gateway.viewers_max + OTHER_DESCRIPTORS;
    let allowed = match limits.map(|limits| limits.max_open_files.soft_limit) {
        Ok(procfs::process::LimitValue::Value(allowed)) => allowed,
        Ok(procfs::process::LimitValue::Unlimited) => u64::MAX,
        Err(error) => {
            return finding(Level::Risk, format!("the limit of descriptors cannot be read: {error}"));
        }
    };
    if allowed >= wanted {
        finding(Level::Good, format!("descriptors: {allowed}, enough for {wanted}"))
    } else {
        let text = format!(
            "descriptors: {allowed}, and gateway.viewers_max with the rest needs {wanted}: raise the limit \
             (`ulimit -n`, LimitNOFILE=) or lower gateway.viewers_max"
        );
        finding(Level::Bad, text)
    }
}

fn data_dir(config: &Config) -> Finding {
    let path = &config.data_dir;
    let probe = path.join(".doctor");
    if !path.exists() {
        return finding(
            Level::Good,
            format!("data directory: {} is made at the first start", path.display()),
        );
    }
    let written = std::fs::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe));
    match written {
        Ok(()) => finding(Level::Good, format!("data directory: {} can be written", path.display())),
        Err(error) => finding(Level::Bad, format!("data directory: {}: {error}", path.display())),
    }
}

async fn nats(config: &Config) -> Vec<Finding> {
    let Some(nats) = &config.nats else {
        return vec![finding(Level::Good, "bus: embedded, in the data directory")];
    };
    let looking = NatsConfig { declare: false, start_deadline_ms: 0, ..nats.clone() };
    let mut found = match check(config, looking).await {
        Ok(found) => found,
        Err(error) => {
            let text = format!("bus: {error:#}; if the servers are there, run `barrage bus ensure`");
            return vec![finding(Level::Bad, text)];
        }
    };
    for url in &nats.monitor_urls {
        found.push(synced(url.expose(), &url.redacted()).await);
    }
    found
}

async fn check(config: &Config, nats: NatsConfig) -> anyhow::Result<Vec<Finding>> {
    let bus = NatsBus::connect(nats, config.bus.clone(), BusMetrics::new(&Registry::new())?).await?;
    Ok(bus.check().await?)
}

/// What a server's monitoring port says of its writes.
async fn synced(url: &str, shown: &str) -> Finding {
    let ask = async {
        let http = reqwest::Client::builder().timeout(TIMEOUT).build()?;
        let answer = http.get(format!("{url}/varz")).send().await?.error_for_status()?;
        answer.json::<serde_json::Value>().await
    };
    let varz = match ask.await {
        Ok(varz) => varz,
        Err(error) => return finding(Level::Bad, format!("{shown}: {}", error.without_url())),
    };
    let name = varz["server_name"].as_str().unwrap_or(shown).to_owned();
    if varz["jetstream"]["config"]["sync_always"].as_bool() == Some(true) {
        return finding(Level::Good, format!("{name} syncs each write"));
    }
    finding(
        Level::Risk,
        format!(
            "{name} does not sync each write: a power cut of all replicas loses what they accepted since the \
             last sync; set `jetstream {{ sync_interval: always }}`"
        ),
    )
}

async fn redis(config: &Config) -> Vec<Finding> {
    let Some(redis) = &config.redis else {
        return vec![finding(Level::Good, "limits: counted in each process")];
    };
    let asked = tokio::time::timeout(TIMEOUT, barrage_quota::look(redis)).await;
    match asked {
        Ok(Ok(seen)) => {
            let version = format!("Redis {}", seen.version);
            let is_old = seen
                .version
                .split('.')
                .next()
                .and_then(|major| major.parse::<u32>().ok())
                .is_none_or(|v| v < 7);
            let mut found = vec![match is_old {
                true => finding(
                    Level::Bad,
                    format!("{version} is older than 7, which the scripts are tested with"),
                ),
                false => finding(Level::Good, version),
            }];
            if seen.memory_max_bytes > 0 && seen.eviction.starts_with("allkeys") {
                let text = format!(
                    "Redis forgets keys when its memory is full (maxmemory-policy {}): a forgotten limit \
                     begins anew; give it more memory or `noeviction`",
                    seen.eviction
                );
                found.push(finding(Level::Risk, text));
            }
            found
        }
        Ok(Err(error)) => vec![finding(Level::Bad, format!("Redis: {error}"))],
        Err(_) => vec![finding(Level::Bad, "Redis does not answer within 5 s")],
    }
}

/// The schema of the database against the one of this program.
fn migrations(seen: &barrage_store::postgres::Seen) -> Finding {
    let (has, known) = (seen.migration, seen.migration_known);
    match has.cmp(&known) {
        std::cmp::Ordering::Equal => {
            finding(Level::Good, format!("PostgreSQL: schema {has}, as this program's"))
        }
        std::cmp::Ordering::Less => {
            let text = format!("PostgreSQL: schema {has}; the next start of this program makes it {known}");
            finding(Level::Good, text)
        }
        std::cmp::Ordering::Greater => {
            let text = format!(
                "PostgreSQL: schema {has} is newer than this program's ({known}): install the newer version, or \
                 restore a backup"
            );
            finding(Level::Bad, text)
        }
    }
}

async fn postgres(config: &Config) -> Vec<Finding> {
    let Some(postgres) = &config.postgres else {
        return vec![finding(Level::Good, "store: SQLite, in the data directory")];
    };
    match tokio::time::timeout(TIMEOUT, barrage_store::postgres::look(postgres)).await {
        Ok(Ok(seen)) => {
            let mut found =
                vec![finding(Level::Good, format!("PostgreSQL {}", seen.version)), migrations(&seen)];
            for (setting, is_on) in [("fsync", seen.fsync), ("synchronous_commit", seen.synchronous_commit)] {
                if !is_on {
                    let text = format!("PostgreSQL: {setting} is off: a crash may lose archived messages");
                    found.push(finding(Level::Risk, text));
                }
            }
            found
        }
        Ok(Err(error)) => vec![finding(Level::Bad, format!("PostgreSQL: {error}"))],
        Err(_) => vec![finding(Level::Bad, "PostgreSQL does not answer within 5 s")],
    }
}
