//! `barrage config show --defaults`: every key with its default and its meaning, as a file.
//!
//! The meanings are the doc comments of the configuration's structs, read from their source as
//! it was compiled: there is no second text to keep in step.

use std::fmt::Write;

use anyhow::Context;
use toml::{Table, Value};

use super::Config;
use crate::console::print_line;

/// A table of the file: its path, the struct's source and name, and whether it is in force
/// when it is not written down.
struct Part {
    path: &'static str,
    source: &'static str,
    name: &'static str,
    is_on: bool,
}

const fn part(path: &'static str, source: &'static str, name: &'static str) -> Part {
    Part { path, source, name, is_on: true }
}

const fn off(path: &'static str, source: &'static str, name: &'static str) -> Part {
    Part { path, source, name, is_on: false }
}

const OWN: &str = include_str!("mod.rs");
const HTTP: &str = include_str!("../../../http/src/config.rs");
const TOKEN: &str = include_str!("../../../token/src/config.rs");
const BUS: &str = include_str!("../../../bus/src/config.rs");
const NATS: &str = include_str!("../../../bus/src/nats/config.rs");
const STORE: &str = include_str!("../../../store/src/config.rs");
const ARCHIVER: &str = include_str!("../../../archiver/src/config.rs");
const QUOTA: &str = include_str!("../../../flow/src/local_quota.rs");
const REDIS: &str = include_str!("../../../quota/src/config.rs");
const LEASE: &str = include_str!("../../../flow/src/lease.rs");
const BREAKER: &str = include_str!("../../../flow/src/breaker.rs");
const GATEWAY: &str = include_str!("../../../gateway/src/config.rs");
const HEAT: &str = include_str!("../../../gateway/src/room/heat.rs");
const OVERLOAD: &str = include_str!("../../../gateway/src/load/overload.rs");
const RECORDER: &str = include_str!("../../../recorder/src/config.rs");
const UPLINK: &str = include_str!("../../../uplink/src/config.rs");
const LIMITS: &str = include_str!("../../../uplink/src/limits_config.rs");
const MODERATION: &str = include_str!("../../../moderation/src/config.rs");
const REPEAT: &str = include_str!("../../../moderation/src/rules/repeat.rs");
const LINKS: &str = include_str!("../../../moderation/src/rules/links.rs");
const ESCALATION: &str = include_str!("../../../moderation/src/rules/escalation.rs");
const HOOK: &str = include_str!("../../../moderation/src/rules/hook.rs");
const ENTRY: &str = include_str!("../../../entry/src/config.rs");
const AUTOSCALE: &str = include_str!("../autoscale.rs");

const PARTS: [Part; 31] = [
    part("", OWN, "Config"),
    part("log", OWN, "LogConfig"),
    part("health", OWN, "HealthConfig"),
    part("http", HTTP, "HttpConfig"),
    part("http.limits", HTTP, "AddressLimitsConfig"),
    part("token", TOKEN, "TokenConfig"),
    part("bus", BUS, "BusConfig"),
    off("nats", NATS, "NatsConfig"),
    part("store", STORE, "SqliteConfig"),
    off("postgres", STORE, "PostgresConfig"),
    part("archiver", ARCHIVER, "ArchiverConfig"),
    part("quota", QUOTA, "LocalQuotaConfig"),
    off("redis", REDIS, "RedisQuotaConfig"),
    off("redis.lease", LEASE, "LeaseConfig"),
    off("redis.breaker", BREAKER, "BreakerConfig"),
    part("gateway", GATEWAY, "GatewayConfig"),
    part("gateway.heat", HEAT, "HeatConfig"),
    part("gateway.overload", OVERLOAD, "OverloadConfig"),
    part("gateway.recorder", RECORDER, "RecorderConfig"),
    part("uplink", UPLINK, "UplinkConfig"),
    part("uplink.recorder", RECORDER, "RecorderConfig"),
    part("uplink.limits", LIMITS, "LimitsConfig"),
    part("moderation", MODERATION, "ModerationConfig"),
    part("moderation.repeat", REPEAT, "RepeatConfig"),
    part("moderation.links", LINKS, "LinksConfig"),
    part("moderation.escalation", ESCALATION, "EscalationConfig"),
    off("moderation.hook", HOOK, "HookConfig"),
    off("moderation.hook.breaker", BREAKER, "BreakerConfig"),
    part("entry", ENTRY, "EntryConfig"),
    part("entry.weights", "", ""),
    part("autoscale", AUTOSCALE, "AutoscaleConfig"),
];

/// The table that is printed last, and where it is.
const POLICY: (&str, &str) = ("autoscale", "policy");

/// Tables that stand several times, and the policy, whose numbers docs/guide/autoscale.md explains.
const EXAMPLES: &str = r##"
# Keys that verify tokens; the first that can sign makes them.
# [[token.keys]]
# id = "2026-11"
# algorithm = "hs256"          # secret_file: its text, 32 bytes at least
# secret_file = "secret.key"
# [[token.keys]]
# id = "backend"
# algorithm = "eddsa"          # Ed25519 in PEM
# public_key_file = "public.pem"
# private_key_file = "private.pem"   # only where tokens are made

# Word lists, searched in this order.
# [[moderation.lists]]
# name = "abuse"
# file = "abuse.txt"           # one word a line
# action = "mask"              # mask, refuse, hold or admit
# shadow = false
"##;

/// Prints the file.
pub(crate) fn show_defaults() -> anyhow::Result<()> {
    print_line(text()?)
}

fn text() -> anyhow::Result<String> {
    let config = Config {
        nats: Some(Default::default()),
        redis: Some(Default::default()),
        postgres: Some(Default::default()),
        ..Config::default()
    };
    let mut values = Table::try_from(&config).context("the defaults cannot be shown")?;
    let hook: barrage_moderation::HookConfig = toml::from_str("url = \"http://127.0.0.1:9000/check\"")?;
    let mut hook = Table::try_from(&hook)?;
    hook.insert("url".into(), "http://127.0.0.1:9000/check".into());
    if let Some(Value::Table(moderation)) = values.get_mut("moderation") {
        moderation.insert("hook".into(), hook.into());
    }
    let mut file = String::from(
        "# Every key of the configuration with its default. Lines with `#` before a key are off\n\
         # until they are written. `barrage config check` looks at a file made from this one.\n",
    );
    for part in &PARTS {
        write_part(&mut file, part, &values)?;
    }
    let policy = at(&values, "autoscale.policy").context("there is no policy")?;
    let policy = nested("autoscale.policy", policy.clone());
    write!(
        file,
        "\n# docs/guide/autoscale.md explains the policy.\n{}{EXAMPLES}",
        toml::to_string(&policy)?
    )?;
    Ok(file)
}

fn at<'a>(values: &'a Table, path: &str) -> Option<&'a Table> {
    path.split('.').filter(|key| !key.is_empty()).try_fold(values, |table, key| table.get(key)?.as_table())
}

fn write_part(file: &mut String, part: &Part, values: &Table) -> anyhow::Result<()> {
    let sign = if part.is_on { "" } else { "# " };
    let table = at(values, part.path).with_context(|| format!("there is no table {}", part.path))?;
    if !part.path.is_empty() {
        writeln!(file, "\n{sign}[{}]", part.path)?;
    }
    if part.name.is_empty() {
        write!(file, "# docs/guide/autoscale.md explains these.\n{}", toml::to_string(table)?)?;
        return Ok(());
    }
    let mut inner = String::new();
    for field in fields(part.source, part.name) {
        if has_part(part.path, &field.key) || (part.path, field.key.as_str()) == POLICY {
            continue;
        }
        let value = table.get(&field.key);
        if let Some(Value::Table(values)) = value {
            // Its keys' meanings are in the struct's source, which is not read here.
            let path = [part.path, &field.key].join(".");
            let doc: String = field.doc.iter().map(|line| format!("#{line}\n")).collect();
            let only = nested(path.trim_matches('.'), values.clone());
            write!(inner, "\n{doc}{}", toml::to_string(&only)?)?;
            continue;
        }
        for line in &field.doc {
            writeln!(file, "#{line}")?;
        }
        let several = format!("[[{}.{}]]", part.path, field.key);
        match value {
            // Written as tables of their own: beside an empty list they would be a second value.
            Some(Value::Array(none)) if none.is_empty() && EXAMPLES.contains(&several) => {
                writeln!(file, "# {several}: see the end of this file")?;
            }
            Some(value) => writeln!(file, "{sign}{} = {value}", field.key)?,
            None => writeln!(file, "# {} =", field.key)?,
        }
    }
    file.push_str(&inner);
    Ok(())
}

/// The table at its place in an otherwise empty file.
fn nested(path: &str, values: Table) -> Table {
    let wrap = |inner, key: &str| Table::from_iter([(key.to_owned(), Value::Table(inner))]);
    path.rsplit('.').fold(values, wrap)
}

/// Whether the key is a table with a part of its own.
fn has_part(parent: &str, key: &str) -> bool {
    PARTS.iter().any(|other| is_child(other.path, parent, key))
}

fn is_child(path: &str, parent: &str, key: &str) -> bool {
    path.strip_suffix(key).is_some_and(|rest| rest.trim_end_matches('.') == parent)
}

struct DocField {
    key: String,
    doc: Vec<String>,
}

/// The fields of a struct that serde reads, with their doc comments.
fn fields(source: &str, name: &str) -> Vec<DocField> {
    let start = format!("struct {name} {{");
    let body = source.split_once(&start).map(|(_, rest)| rest).unwrap_or_default();
    let (mut found, mut doc, mut is_skipped) = (Vec::new(), Vec::new(), false);
    for line in body.lines().skip(1).take_while(|line| *line != "}") {
        let line = line.trim();
        if let Some(text) = line.strip_prefix("///") {
            doc.push(text.to_owned());
        } else if line.starts_with("#[") {
            is_skipped |= line.contains("serde(skip)");
        } else if let Some((key, _)) =
            line.trim_start_matches("pub(crate) ").trim_start_matches("pub ").split_once(':')
        {
            if !is_skipped {
                found.push(DocField { key: key.to_owned(), doc: std::mem::take(&mut doc) });
            }
            doc.clear();
            is_skipped = false;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_defaults_is_valid_and_changes_nothing() {
        let text = text().unwrap();
        let read: Config = toml::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(read, Config::default());
    }

    #[test]
    fn keys_that_are_off_are_shown_with_their_meaning() {
        let text = text().unwrap();
        for line in [
            "# [nats]",
            "# [postgres]",
            "# [redis]",
            "# [moderation.hook]",
            "# tls_cert_file =",
            "# folder =",
            "# guests =",
            "window_ms = 50",
            "# file =",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(text.contains("# A room's batching window"), "{text}");
    }

    /// A field that is added without a place here would not be shown.
    #[test]
    fn every_key_of_the_defaults_is_shown() {
        let text = text().unwrap();
        for part in PARTS.iter().filter(|part| !part.name.is_empty()) {
            let fields = fields(part.source, part.name);
            assert!(!fields.is_empty(), "{} is not in its source", part.name);
            for field in &fields {
                let (shown, inner) = (format!("{} =", field.key), format!("{}.{}", part.path, field.key));
                let several = text.contains(&format!("[[{inner}]]"));
                let is_table =
                    several || has_part(part.path, &field.key) || text.contains(&format!("[{inner}"));
                assert!(is_table || text.contains(&shown), "{inner}");
                assert!(!field.doc.is_empty() || is_table, "{inner} has no meaning");
            }
        }
    }
}
