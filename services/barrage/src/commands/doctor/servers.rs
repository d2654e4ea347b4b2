//! Checks of the servers behind a process: NATS, Redis and PostgreSQL.

use std::time::Duration;

use barrage_bus::nats::{Finding, Level};
use barrage_bus::{BusMetrics, NatsBus, NatsConfig};
use prometheus::Registry;

use super::clock;
use super::finding::finding;
use crate::config::Config;

/// Longest wait for an answer of a server.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Oldest major version of Redis that the scripts are tested with.
const REDIS_MAJOR_MIN: u32 = 7;

/// Runs the checks, one server after the other.
pub(super) async fn findings(config: &Config) -> Vec<Finding> {
    let mut findings = nats(config).await;
    findings.extend(redis(config).await);
    findings.extend(postgres(config).await);
    findings
}

/// Connects to NATS and checks the streams and buckets.
pub(super) async fn check_bus(config: &Config, nats: NatsConfig) -> anyhow::Result<Vec<Finding>> {
    let bus = NatsBus::connect(nats, config.bus.clone(), BusMetrics::new(&Registry::new())?).await?;
    Ok(bus.check().await?)
}

async fn nats(config: &Config) -> Vec<Finding> {
    let Some(nats) = &config.nats else {
        return vec![finding(Level::Good, "bus: embedded, in the data directory")];
    };
    let looking = NatsConfig { declare: false, start_deadline_ms: 0, ..nats.clone() };
    let mut found = match check_bus(config, looking).await {
        Ok(found) => found,
        Err(error) => {
            let text = format!("bus: {error:#}; if the servers run, run `barrage bus ensure`");
            return vec![finding(Level::Bad, text)];
        }
    };
    for url in &nats.monitor_urls {
        let client = config.http_client().and_then(|http| Ok(http.timeout(TIMEOUT).build()?));
        match client {
            Ok(client) => found.extend(monitored(&client, url.expose(), &url.redacted()).await),
            Err(error) => found.push(finding(Level::Bad, format!("{}: {error:#}", url.redacted()))),
        }
    }
    found
}

/// Checks through the monitoring port of a server whether the server syncs each write, and its clock.
async fn monitored(http: &reqwest::Client, url: &str, shown: &str) -> Vec<Finding> {
    let before = barrage_clock::since_unix_epoch();
    let ask = async {
        let answer = http.get(format!("{url}/varz")).send().await?.error_for_status()?;
        answer.json::<serde_json::Value>().await
    };
    let varz = match ask.await {
        Ok(varz) => varz,
        Err(error) => return vec![finding(Level::Bad, format!("{shown}: {}", error.without_url()))],
    };
    let name = varz["server_name"].as_str().unwrap_or(shown).to_owned();
    let mut found: Vec<_> = nats_clock(&varz)
        .map(|theirs| clock::of_server(&name, theirs, before, barrage_clock::since_unix_epoch()))
        .into_iter()
        .collect();
    found.push(synced(&name, &varz));
    found
}

/// Returns the time of the server, from the field `now`.
fn nats_clock(varz: &serde_json::Value) -> Option<Duration> {
    let now =
        time::OffsetDateTime::parse(varz["now"].as_str()?, &time::format_description::well_known::Rfc3339);
    Duration::try_from(now.ok()? - time::OffsetDateTime::UNIX_EPOCH).ok()
}

fn synced(name: &str, varz: &serde_json::Value) -> Finding {
    if varz["jetstream"]["config"]["sync_always"].as_bool() == Some(true) {
        return finding(Level::Good, format!("{name} syncs each write"));
    }
    finding(
        Level::Risk,
        format!(
            "{name} does not sync each write: a power cut of all replicas loses the messages since the last \
             sync; set `jetstream {{ sync_interval: always }}`"
        ),
    )
}

async fn redis(config: &Config) -> Vec<Finding> {
    let Some(redis) = &config.redis else {
        return vec![finding(Level::Good, "limits: counted in each process")];
    };
    let before = barrage_clock::since_unix_epoch();
    match tokio::time::timeout(TIMEOUT, barrage_quota::inspect(redis)).await {
        Ok(Ok(seen)) => {
            let now = barrage_clock::since_unix_epoch();
            let version = format!("Redis {}", seen.version);
            let major = seen.version.split('.').next().and_then(|major| major.parse::<u32>().ok());
            let mut found = vec![match major {
                Some(REDIS_MAJOR_MIN..) => finding(Level::Good, version),
                _ => finding(
                    Level::Bad,
                    format!("{version} is older than {REDIS_MAJOR_MIN}, which is required"),
                ),
            }];
            found.push(clock::of_server("Redis", seen.clock, before, now));
            if seen.memory_max_bytes > 0 && seen.eviction.starts_with("allkeys") {
                let text = format!(
                    "Redis evicts keys when its memory is full (maxmemory-policy {}), which resets limits; give \
                     Redis more memory or set `noeviction`",
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

/// Compares the schema of the database with the schema of this program.
fn migrations(seen: &barrage_store::postgres::ServerInfo) -> Finding {
    let (has, known) = (seen.migration, seen.migration_known);
    match has.cmp(&known) {
        std::cmp::Ordering::Equal => finding(Level::Good, format!("PostgreSQL: schema {has} is current")),
        std::cmp::Ordering::Less => {
            let text =
                format!("PostgreSQL: schema {has}; the next start of this program migrates it to {known}");
            finding(Level::Good, text)
        }
        std::cmp::Ordering::Greater => {
            let text = format!(
                "PostgreSQL: schema {has} is newer than schema {known} of this program: install the newer \
                 version, or restore a backup"
            );
            finding(Level::Bad, text)
        }
    }
}

async fn postgres(config: &Config) -> Vec<Finding> {
    let Some(postgres) = &config.postgres else {
        return vec![finding(Level::Good, "store: SQLite, in the data directory")];
    };
    let before = barrage_clock::since_unix_epoch();
    match tokio::time::timeout(TIMEOUT, barrage_store::postgres::inspect(postgres)).await {
        Ok(Ok(seen)) => {
            let now = barrage_clock::since_unix_epoch();
            let mut found =
                vec![finding(Level::Good, format!("PostgreSQL {}", seen.version)), migrations(&seen)];
            found.push(clock::of_server("PostgreSQL", seen.clock, before, now));
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
