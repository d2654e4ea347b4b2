//! Metrics of clients by what they state about themselves. The label sets are bounded, whatever a client
//! states.

use std::collections::HashMap;
use std::sync::Arc;

use barrage_protocol::ClientFacts;
use barrage_protocol::facts::{ClientName, ClientVersion, FrameEncoding, NetworkType, Platform};
use parking_lot::RwLock;
use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

/// Name and version of a client, as a pair of label values.
type Program = (ClientName, ClientVersion);

/// Programs of this repository, whose current version has a series from the start.
const OWN_PROGRAMS: [&str; 2] = ["barrage-client", "barrage-web"];
/// Label value of programs beyond the bound, and of facts that are no name or no version.
const OTHER: &str = "other";
/// Label value of joins without any facts.
const NONE: &str = "none";

/// Counters by client facts, registered once per process.
#[derive(Debug, Clone)]
pub(crate) struct ClientMetrics {
    joins: IntCounterVec,
    other: IntCounter,
    none: IntCounter,
    platforms: IntCounterVec,
    networks: IntCounterVec,
    encodings: IntCounterVec,
    idle_closes: IntCounterVec,
    /// Programs that have a series of their own; grows to the configured bound.
    programs: Arc<RwLock<HashMap<Program, IntCounter>>>,
}

impl ClientMetrics {
    pub(crate) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone())).map(|()| counters)
        };
        let joins = counters(
            "barrage_gateway_client_joins_total",
            "Joins by the client's name and version; `other` beyond the first gateway.client_versions_max, \
             `none` without facts.",
            &["client", "version"],
        )?;
        let metrics = ClientMetrics {
            other: joins.with_label_values(&[OTHER, OTHER]),
            none: joins.with_label_values(&[NONE, NONE]),
            platforms: counters(
                "barrage_gateway_client_platforms_total",
                "Joins by the client's platform.",
                &["platform"],
            )?,
            networks: counters(
                "barrage_gateway_client_networks_total",
                "Joins by the type of the client's network.",
                &["network"],
            )?,
            encodings: counters(
                "barrage_gateway_client_encodings_total",
                "Joins by each encoding that the client reads.",
                &["encoding"],
            )?,
            idle_closes: counters(
                "barrage_gateway_idle_closes_total",
                "Connections closed for their silence, by the type of the client's network.",
                &["network"],
            )?,
            programs: Arc::default(),
            joins,
        };
        Ok(metrics.with_all_series())
    }

    fn with_all_series(self) -> Self {
        for platform in Platform::ALL {
            self.platforms.with_label_values(&[platform.label()]);
        }
        for network in NetworkType::ALL {
            self.networks.with_label_values(&[network.label()]);
            self.idle_closes.with_label_values(&[network.label()]);
        }
        for encoding in FrameEncoding::ALL {
            self.encodings.with_label_values(&[encoding.label()]);
        }
        let version = ClientVersion::parse(env!("CARGO_PKG_VERSION"));
        for name in OWN_PROGRAMS.into_iter().filter_map(ClientName::parse) {
            if let Some(version) = version {
                self.program((name, version), usize::MAX).inc_by(0);
            }
        }
        self
    }

    /// Counts the join of a connection. `versions_max` bounds the programs with a series of their own.
    pub(crate) fn joined(&self, facts: Option<&ClientFacts>, versions_max: usize) {
        let Some(facts) = facts else {
            self.none.inc();
            self.platforms.with_label_values(&[Platform::Unknown.label()]).inc();
            return self.networks.with_label_values(&[NetworkType::Unknown.label()]).inc();
        };
        match (&facts.name, facts.version) {
            (Some(name), Some(version)) => self.program((name.clone(), version), versions_max).inc(),
            (None, _) | (_, None) => self.other.inc(),
        }
        self.platforms.with_label_values(&[facts.platform.label()]).inc();
        self.networks.with_label_values(&[facts.network.label()]).inc();
        for encoding in &facts.encodings {
            self.encodings.with_label_values(&[encoding.label()]).inc();
        }
    }

    /// Counts a connection that was closed for its silence.
    pub(crate) fn closed_as_idle(&self, network: NetworkType) {
        self.idle_closes.with_label_values(&[network.label()]).inc();
    }

    fn program(&self, program: Program, versions_max: usize) -> IntCounter {
        if let Some(counter) = self.programs.read().get(&program) {
            return counter.clone();
        }
        let mut programs = self.programs.write();
        if programs.len() >= versions_max && !programs.contains_key(&program) {
            return self.other.clone();
        }
        let (name, version) = &program;
        let counter = self.joins.with_label_values(&[name.as_str(), &version.to_string()]);
        programs.insert(program, counter.clone());
        counter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(registry: &Registry, name: &str) -> usize {
        registry.gather().iter().filter(|family| family.name() == name).map(|it| it.get_metric().len()).sum()
    }

    #[test]
    fn forged_facts_never_grow_the_label_sets() {
        let registry = Registry::new();
        let clients = ClientMetrics::new(&registry).unwrap();
        let before: Vec<_> = ["platforms", "networks", "encodings"]
            .map(|set| series(&registry, &format!("barrage_gateway_client_{set}_total")))
            .into();
        for n in 0..10_000 {
            let json = format!(
                r#"{{"name":"forged-{n}","version":"{}.{n}.0","platform":"p{n}","network":"n{n}","encodings":["e{n}"]}}"#,
                n % 50
            );
            clients.joined(Some(&ClientFacts::parse(&json)), 32);
        }
        clients.joined(None, 32);
        // The 32 programs, `other` and `none`.
        assert_eq!(series(&registry, "barrage_gateway_client_joins_total"), 34);
        let after: Vec<_> = ["platforms", "networks", "encodings"]
            .map(|set| series(&registry, &format!("barrage_gateway_client_{set}_total")))
            .into();
        assert_eq!(before, after);
        assert_eq!(clients.other.get(), 10_000 - 30, "two of the programs are this repository's own");
        let own = ClientFacts::parse(&format!(
            r#"{{"name":"barrage-web","version":"{}"}}"#,
            env!("CARGO_PKG_VERSION")
        ));
        clients.joined(Some(&own), 32);
        assert_eq!(clients.other.get(), 10_000 - 30, "its own programs keep their series");
    }
}
