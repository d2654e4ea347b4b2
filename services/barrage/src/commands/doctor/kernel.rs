//! Checks of the kernel's limits on connections: the backlog of listeners, and connection tracking.

use std::path::Path;

use barrage_bus::nats::{Finding, Level};

use super::finding::finding;
use crate::config::Config;

/// Folder of the kernel's settings.
pub(super) const SETTINGS: &str = "/proc/sys/net";
/// Share of the table of tracked connections at which new ones are about to be refused.
const TRACKED_SHARE_MAX: f64 = 0.8;

/// Runs the checks on settings in a folder such as [`SETTINGS`].
pub(super) fn findings(config: &Config, settings: &Path) -> Vec<Finding> {
    let number = |name: &str| std::fs::read_to_string(settings.join(name)).ok()?.trim().parse::<u64>().ok();
    let backlog = number("core/somaxconn").map(|max| backlog(max, barrage_http::BACKLOG.into()));
    let tracked = number("netfilter/nf_conntrack_max")
        .map(|max| tracked(number("netfilter/nf_conntrack_count"), max, config.gateway.viewers_max));
    let untracked =
        || finding(Level::Good, "conntrack: the kernel of this namespace tracks no connections".to_owned());
    backlog.into_iter().chain([tracked.unwrap_or_else(untracked)]).collect()
}

fn backlog(max: u64, wanted: u64) -> Finding {
    if max >= wanted {
        return finding(Level::Good, format!("backlog: net.core.somaxconn is {max}, enough for {wanted}"));
    }
    let text = format!(
        "backlog: net.core.somaxconn is {max}, so that a reconnect storm waits a second for each lost SYN: set \
         {wanted} or more (`sysctl -w net.core.somaxconn={wanted}`)"
    );
    finding(Level::Risk, text)
}

/// Compares the table of tracked connections with its use and with the viewers of a gateway.
fn tracked(used: Option<u64>, max: u64, viewers: u64) -> Finding {
    let used = used.unwrap_or(0);
    let fix = format!("set net.netfilter.nf_conntrack_max to {} or more", viewers.saturating_mul(2));
    if used as f64 >= TRACKED_SHARE_MAX * max as f64 {
        let text = format!(
            "conntrack: {used} of {max} connections are tracked, and the kernel drops further ones: {fix}"
        );
        return finding(Level::Bad, text);
    }
    if max < viewers {
        let text =
            format!("conntrack: {max} connections at most, but gateway.viewers_max is {viewers}: {fix}");
        return finding(Level::Risk, text);
    }
    finding(Level::Good, format!("conntrack: {used} of {max} connections are tracked"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(settings: &[(&str, &str)]) -> Vec<(Level, String)> {
        let folder = tempfile::tempdir().unwrap();
        for (name, value) in settings {
            let file = folder.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, format!("{value}\n")).unwrap();
        }
        let found = findings(&Config::default(), folder.path());
        found.into_iter().map(|found| (found.level, found.text)).collect()
    }

    #[test]
    fn backlog_and_conntrack_are_compared_with_the_configuration() {
        let good = levels(&[
            ("core/somaxconn", "4096"),
            ("netfilter/nf_conntrack_max", "262144"),
            ("netfilter/nf_conntrack_count", "9"),
        ]);
        assert!(good.len() == 2 && good.iter().all(|(level, _)| *level == Level::Good), "{good:?}");
        let short = levels(&[("core/somaxconn", "128"), ("netfilter/nf_conntrack_max", "4096")]);
        assert!(short.iter().all(|(level, _)| *level == Level::Risk), "{short:?}");
        let full = levels(&[("netfilter/nf_conntrack_max", "100"), ("netfilter/nf_conntrack_count", "99")]);
        assert_eq!(full[0].0, Level::Bad, "{full:?}");
        assert_eq!(levels(&[])[0].0, Level::Good);
    }
}
