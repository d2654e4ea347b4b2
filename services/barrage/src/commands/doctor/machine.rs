//! Checks of this machine: descriptors and the data directory.

use barrage_bus::nats::{Finding, Level};

use super::finding::finding;
use crate::config::Config;

/// Descriptors for listeners, servers, files and requests, besides those of viewers.
const OTHER_DESCRIPTORS: u64 = 2_000;

/// Checks the limit of descriptors and the data directory.
pub(super) fn findings(config: &Config) -> [Finding; 2] {
    [descriptors(config), data_dir(config)]
}

fn descriptors(config: &Config) -> Finding {
    let limits = procfs::process::Process::myself().and_then(|process| process.limits());
    let wanted = config.gateway.viewers_max + OTHER_DESCRIPTORS;
    let allowed = match limits.map(|limits| limits.max_open_files.soft_limit) {
        Ok(procfs::process::LimitValue::Value(allowed)) => allowed,
        Ok(procfs::process::LimitValue::Unlimited) => u64::MAX,
        Err(error) => {
            return finding(Level::Risk, format!("descriptors: the limit cannot be read: {error}"));
        }
    };
    if allowed >= wanted {
        finding(Level::Good, format!("descriptors: {allowed}, enough for {wanted}"))
    } else {
        let text = format!(
            "descriptors: {allowed}, but gateway.viewers_max and other uses need {wanted}: raise the limit \
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
            format!("data directory: {} will be created at the first start", path.display()),
        );
    }
    let written = std::fs::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe));
    match written {
        Ok(()) => finding(Level::Good, format!("data directory: {} can be written", path.display())),
        Err(error) => finding(Level::Bad, format!("data directory: {}: {error}", path.display())),
    }
}
