//! Use of the kernel's connection tracking, read at each scrape where a firewall tracks connections.
//! At the limit the kernel drops the packets of new connections.

use std::path::{Path, PathBuf};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, Opts, Registry};

/// Folder of the counts, which cover all processes of the network namespace.
const FOLDER: &str = "/proc/sys/net/netfilter";

/// Collector of tracked connections and their limit.
struct Conntrack {
    folder: PathBuf,
    entries: Gauge,
    limit: Gauge,
}

/// Registers the metrics on `registry`, unless the kernel tracks no connections or hides them.
pub(super) fn register(registry: &Registry) -> prometheus::Result<()> {
    match Conntrack::new(Path::new(FOLDER))? {
        Some(conntrack) => registry.register(Box::new(conntrack)),
        None => Ok(()),
    }
}

impl Conntrack {
    fn new(folder: &Path) -> prometheus::Result<Option<Self>> {
        let gauge = |name: &str, help: &str| Gauge::with_opts(Opts::new(name, help));
        let conntrack = Conntrack {
            folder: folder.to_owned(),
            entries: gauge(
                "barrage_host_conntrack_entries",
                "Connections that the kernel's firewall tracks.",
            )?,
            limit: gauge(
                "barrage_host_conntrack_entries_limit",
                "Most connections that the kernel's firewall tracks; further ones are dropped.",
            )?,
        };
        Ok(conntrack.read().map(|()| conntrack))
    }

    /// Reads both counts; `None` when one of them cannot be read.
    fn read(&self) -> Option<()> {
        let number =
            |name: &str| std::fs::read_to_string(self.folder.join(name)).ok()?.trim().parse::<f64>().ok();
        self.entries.set(number("nf_conntrack_count")?);
        self.limit.set(number("nf_conntrack_max")?);
        Some(())
    }
}

impl Collector for Conntrack {
    fn desc(&self) -> Vec<&Desc> {
        self.entries.desc().into_iter().chain(self.limit.desc()).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        if self.read().is_none() {
            tracing::debug!("the tracked connections cannot be read; their metrics keep their last values");
        }
        self.entries.collect().into_iter().chain(self.limit.collect()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_at_each_scrape_and_are_absent_without_a_firewall() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Conntrack::new(folder.path()).unwrap().is_none());
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("nf_conntrack_count", "17\n");
        write("nf_conntrack_max", "262144\n");
        let conntrack = Conntrack::new(folder.path()).unwrap().unwrap();
        write("nf_conntrack_count", "18\n");
        let values: Vec<_> =
            conntrack.collect().iter().map(|it| it.get_metric()[0].get_gauge().get_value()).collect();
        assert_eq!(values, [18.0, 262_144.0]);
    }
}
