//! The crate graph as a table: which crate may depend on which, and where a large dependency may be.
//!
//! A crate depends on crates of lower layers only, so that no circle and no upward edge can appear.
//! A new edge needs a line here, which a reviewer sees.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};

use super::metadata::{Metadata, Package};

/// Path of this file, which errors name as the place to change.
const TABLE: &str = "xtask/src/lint/layers.rs";

/// A crate, its layer and its dependencies in the workspace (those of tests are free).
struct Allowed {
    name: &'static str,
    layer: u8,
    uses: &'static [&'static str],
}

const fn allowed(name: &'static str, layer: u8, uses: &'static [&'static str]) -> Allowed {
    Allowed { name, layer, uses }
}

/// Names without the prefix `barrage-`. Layers: 0 types and codecs, 1 pure parts, 2 parts with
/// locks, timers or metrics, 3 engines and protocols, 4 services (never one another), 5 programs,
/// 6 the fuzz targets, which call decoders of all layers.
const ALLOWED: &[Allowed] = &[
    allowed("backoff", 0, &[]),
    allowed("clock", 0, &[]),
    allowed("dashboards", 0, &[]),
    allowed("handshake", 0, &[]),
    allowed("part", 0, &[]),
    allowed("plot", 0, &[]),
    allowed("protocol", 0, &[]),
    allowed("tls", 0, &[]),
    allowed("ws", 0, &[]),
    allowed("class", 1, &["protocol"]),
    allowed("client", 1, &["backoff", "clock", "protocol", "tls", "ws"]),
    allowed("flow", 1, &["part"]),
    allowed("inbox", 1, &["protocol"]),
    allowed("openapi", 1, &["protocol"]),
    allowed("outbound", 1, &[]),
    allowed("push", 1, &["protocol"]),
    allowed("recorder", 1, &["part", "protocol"]),
    allowed("scaling", 1, &["part"]),
    allowed("recording", 1, &["protocol"]),
    allowed("secret", 1, &["part"]),
    allowed("testkit", 1, &["clock", "protocol", "tls", "ws"]),
    allowed("token", 1, &["clock", "part", "protocol"]),
    allowed("cache", 2, &[]),
    allowed("counters", 2, &["flow", "part", "protocol"]),
    allowed("exposition", 2, &["clock", "part"]),
    allowed("guarded", 2, &["clock", "flow"]),
    allowed("ledger", 2, &["class", "protocol"]),
    allowed("trace", 2, &["clock", "flow", "part", "protocol", "secret", "tls"]),
    allowed("autoscaler-lab", 3, &["plot", "scaling"]),
    allowed("blob", 3, &["part"]),
    allowed("bus", 3, &["backoff", "clock", "flow", "part", "protocol", "scaling", "secret"]),
    allowed("http", 3, &["clock", "counters", "flow", "part", "protocol", "token"]),
    allowed("moderation", 3, &["flow", "guarded", "part", "protocol", "secret", "tls"]),
    allowed("quota", 3, &["counters", "flow", "guarded", "part", "protocol", "secret"]),
    allowed("store", 3, &["clock", "inbox", "part", "protocol", "secret"]),
    allowed("archiver", 4, &["backoff", "bus", "clock", "part", "protocol", "store", "trace"]),
    allowed("courier", 4, &["backoff", "bus", "clock", "inbox", "part", "protocol", "store", "token"]),
    allowed(
        "entry",
        4,
        &["bus", "clock", "counters", "flow", "http", "openapi", "part", "protocol", "scaling", "token"],
    ),
    allowed(
        "gateway",
        4,
        &[
            "bus",
            "class",
            "clock",
            "counters",
            "exposition",
            "flow",
            "handshake",
            "http",
            "ledger",
            "openapi",
            "part",
            "protocol",
            "recorder",
            "scaling",
            "token",
            "trace",
            "ws",
        ],
    ),
    allowed("irc", 4, &["client", "clock", "http", "part", "protocol", "ws"]),
    allowed(
        "media",
        4,
        &[
            "blob",
            "cache",
            "clock",
            "counters",
            "flow",
            "guarded",
            "http",
            "moderation",
            "openapi",
            "part",
            "protocol",
            "token",
        ],
    ),
    allowed(
        "notifier",
        4,
        &["backoff", "bus", "clock", "flow", "inbox", "outbound", "part", "protocol", "push", "store", "tls"],
    ),
    allowed("probe", 4, &["client", "clock", "part", "protocol", "token"]),
    allowed(
        "uplink",
        4,
        &[
            "bus",
            "cache",
            "class",
            "clock",
            "counters",
            "exposition",
            "flow",
            "guarded",
            "http",
            "inbox",
            "ledger",
            "moderation",
            "openapi",
            "part",
            "protocol",
            "push",
            "recorder",
            "recording",
            "store",
            "token",
            "trace",
        ],
    ),
    allowed(
        "webhooks",
        4,
        &["backoff", "bus", "clock", "flow", "outbound", "part", "protocol", "secret", "store", "tls"],
    ),
    allowed("autoscaler", 5, &["autoscaler-lab", "clock", "exposition", "http", "scaling", "tls"]),
    allowed(
        "barrage",
        5,
        &[
            "archiver",
            "blob",
            "bus",
            "client",
            "clock",
            "counters",
            "courier",
            "entry",
            "exposition",
            "flow",
            "gateway",
            "guarded",
            "http",
            "inbox",
            "irc",
            "ledger",
            "media",
            "moderation",
            "notifier",
            "openapi",
            "part",
            "probe",
            "protocol",
            "push",
            "quota",
            "recorder",
            "recording",
            "scaling",
            "secret",
            "store",
            "tls",
            "token",
            "trace",
            "uplink",
            "webhooks",
        ],
    ),
    allowed(
        "bench",
        5,
        &[
            "bus",
            "client",
            "counters",
            "flow",
            "guarded",
            "inbox",
            "moderation",
            "notifier",
            "protocol",
            "push",
            "quota",
            "recording",
            "store",
            "testkit",
            "token",
        ],
    ),
    allowed("faults", 5, &["client", "clock", "protocol", "testkit"]),
    allowed(
        "loadtest",
        5,
        &["backoff", "clock", "exposition", "plot", "protocol", "recording", "scaling", "tls", "token", "ws"],
    ),
    allowed(
        "fuzz",
        6,
        &[
            "bus",
            "gateway",
            "http",
            "inbox",
            "irc",
            "loadtest",
            "moderation",
            "outbound",
            "part",
            "protocol",
            "push",
            "recording",
            "token",
            "uplink",
            "webhooks",
            "ws",
        ],
    ),
    allowed(
        "simulation",
        5,
        &["archiver", "bus", "client", "clock", "flow", "gateway", "protocol", "store", "trace", "webhooks"],
    ),
    allowed("xtask", 5, &["protocol", "recording"]),
];

/// Dependencies that one part of the system owns, and the crates that may use each.
const OWNED: &[(&str, &[&str])] = &[
    ("async-nats", &["bus"]),
    ("fastwebsockets", &["ws"]),
    ("image", &["media"]),
    ("k8s-openapi", &["autoscaler"]),
    ("kube", &["autoscaler"]),
    ("object_store", &["blob"]),
    ("opentelemetry-proto", &["testkit", "trace"]),
    ("redis", &["quota"]),
    ("sqlx", &["store"]),
];

/// Fails with all differences between the crates and the table.
pub(crate) fn check(metadata: &Metadata) -> anyhow::Result<()> {
    let mut wrong = upward_edges(ALLOWED);
    let ours: BTreeSet<_> = metadata.ours().map(|package| package.name.as_str()).collect();
    for package in metadata.ours() {
        wrong.extend(edges(package, &ours));
        wrong.extend(owned(package));
        wrong.extend(lints(package)?);
    }
    let names: BTreeSet<_> = ours.iter().map(|name| short(name)).collect();
    let unused = ALLOWED.iter().filter(|line| !names.contains(line.name));
    wrong.extend(
        unused.map(|line| format!("the table has {}, which is no crate of the workspace", line.name)),
    );
    if wrong.is_empty() {
        return Ok(());
    }
    bail!(
        "the crates differ from the table in {TABLE}; change the crate, or change the table:\n  {}",
        wrong.join("\n  ")
    )
}

/// Returns the name that the table uses.
fn short(name: &str) -> &str {
    name.strip_prefix("barrage-").unwrap_or(name)
}

/// Returns edges of the table that do not lead to a lower layer.
fn upward_edges(table: &[Allowed]) -> Vec<String> {
    let layers: BTreeMap<_, _> = table.iter().map(|line| (line.name, line.layer)).collect();
    let mut wrong = Vec::new();
    for line in table {
        for used in line.uses {
            match layers.get(used) {
                Some(layer) if *layer < line.layer => {}
                Some(layer) => wrong.push(format!(
                    "the table lets {} of layer {} depend on {used} of layer {layer}; only lower layers are allowed",
                    line.name, line.layer
                )),
                None => wrong.push(format!("the table lets {} depend on {used}, which it does not list", line.name)),
            }
        }
    }
    wrong
}

/// Returns edges of a crate that the table lacks, and edges of the table that the crate lacks.
fn edges(package: &Package, ours: &BTreeSet<&str>) -> Vec<String> {
    let name = short(&package.name);
    let Some(line) = ALLOWED.iter().find(|line| line.name == name) else {
        return vec![format!("the crate {name} is not in the table; add it with its layer")];
    };
    let is: BTreeSet<_> = package
        .dependencies
        .iter()
        .filter(|name| ours.contains(name.as_str()))
        .map(|name| short(name))
        .collect();
    let may: BTreeSet<_> = line.uses.iter().copied().collect();
    let new = is.difference(&may).map(|used| format!("{name} depends on {used}: this edge is new"));
    let gone = may.difference(&is).map(|used| format!("{name} no longer depends on {used}: remove the edge"));
    new.chain(gone).collect()
}

fn owned(package: &Package) -> Vec<String> {
    let name = short(&package.name);
    let used =
        OWNED.iter().filter(|(dependency, _)| package.dependencies.iter().any(|used| used == dependency));
    used.filter(|(_, users)| !users.contains(&name))
        .map(|(dependency, users)| {
            format!("{name} depends on {dependency}, which only {} may", users.join(" and "))
        })
        .collect()
}

/// Returns a complaint when a manifest does not take the lints of the workspace.
fn lints(package: &Package) -> anyhow::Result<Option<String>> {
    let text = std::fs::read_to_string(&package.manifest)
        .with_context(|| format!("{} cannot be read", package.manifest.display()))?;
    let mut section = text.lines().skip_while(|line| line.trim() != "[lints]").skip(1);
    let has_lints = section
        .by_ref()
        .take_while(|line| !line.starts_with('['))
        .any(|line| line.split_whitespace().collect::<String>() == "workspace=true");
    Ok((!has_lints).then(|| format!("{} lacks `[lints] workspace = true`", package.manifest.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_has_no_upward_edge() {
        assert_eq!(upward_edges(ALLOWED), [""; 0]);
    }

    #[test]
    fn edge_within_a_layer_is_refused() {
        let table = [allowed("gateway", 3, &[]), allowed("uplink", 3, &["gateway"])];
        assert_eq!(upward_edges(&table).len(), 1);
    }

    #[test]
    fn new_edge_and_owned_dependency_are_listed() {
        let package = Package {
            name: "barrage-gateway".into(),
            version: "1.0.0".into(),
            rust_version: None,
            is_ours: true,
            manifest: "Cargo.toml".into(),
            dependencies: vec!["barrage-store".into(), "sqlx".into(), "bytes".into()],
            targets: Vec::new(),
        };
        let ours = BTreeSet::from(["barrage-gateway", "barrage-store"]);
        let new = edges(&package, &ours);
        assert!(new.contains(&"gateway depends on store: this edge is new".to_owned()), "{new:?}");
        assert_eq!(owned(&package), ["gateway depends on sqlx, which only store may"]);
    }
}
