//! What a scenario needs of its machine, and the reason when it is not there.

use std::path::{Path, PathBuf};
use std::process::Command;

use barrage_testkit::programs;

use crate::peers::MODULE;
use crate::works::works;

/// Variable that a process sees inside of its own network and mounts.
pub const OWN_NETWORK: &str = "FAULT_OWN_NETWORK";

/// Variable with the path of a server binary of another version.
pub const OLD_SERVER: &str = "FAULT_OLD_SERVER";

/// A program or an ability of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// nats-server, redis-server and PostgreSQL.
    Servers,
    /// A network namespace of this process, in which rules of iptables are nobody else's.
    Iptables,
    /// Packets in user space, by netfilter's queues.
    Nfqueue,
    /// File systems of a fixed size in memory, in mounts of this process.
    Tmpfs,
    /// libfaketime, a library that steps a process' wall clock.
    Faketime,
    /// strace, which makes system calls fail.
    Strace,
    /// prlimit of util-linux, which bounds descriptors.
    Prlimit,
    /// Control groups, version 1 or 2, that this process may write.
    Cgroups,
    /// A server binary of another version.
    OldServer,
    /// nginx with the module nchan, and redis-server.
    Nchan,
}

impl Need {
    /// Returns why the machine cannot serve this need; `None` when it can.
    #[must_use]
    pub fn missing(self) -> Option<String> {
        let present = match self {
            Need::Servers => has_servers(),
            Need::Iptables => std::env::var_os(OWN_NETWORK).is_some() && works("iptables", &["-L", "-n"]),
            Need::Nfqueue => Need::Iptables.missing().is_none() && has_queues(),
            Need::Tmpfs => std::env::var_os(OWN_NETWORK).is_some(),
            Need::Faketime => programs::libfaketime().is_some(),
            Need::Strace => works("strace", &["-o", "/dev/null", "true"]),
            Need::Prlimit => works("prlimit", &["--nofile=64", "true"]),
            Need::Cgroups => crate::cause::Cgroup::memory("probe", 1 << 30).is_ok(),
            Need::OldServer => old_server().is_some(),
            Need::Nchan => Path::new(MODULE).is_file() && works("redis-server", &["--version"]),
        };
        let lacks = match self {
            Need::Servers => "nats-server, redis-server or PostgreSQL is not installed: `cargo xtask setup`",
            Need::Iptables => "no network namespace of its own with iptables: needs root and iptables",
            Need::Nfqueue => "no NFQUEUE in this kernel, or no network namespace: needs root and iptables",
            Need::Tmpfs => "no mounts of its own: needs root",
            Need::Faketime => "libfaketime is not installed (Debian: faketime)",
            Need::Strace => "strace is not installed, or may not trace",
            Need::Prlimit => "prlimit is not installed (Debian: util-linux)",
            Need::Cgroups => "no control groups that this process may write: needs root",
            Need::OldServer => {
                "no server of another version: `cargo xtask fault upgrade --old FILE` names one"
            }
            Need::Nchan => {
                "nchan or redis-server is not installed (Debian: libnginx-mod-nchan, redis-server)"
            }
        };
        (!present).then(|| lacks.to_owned())
    }
}

/// Returns the server binary of another version, if one is named and there.
#[must_use]
pub fn old_server() -> Option<PathBuf> {
    std::env::var_os(OLD_SERVER).map(PathBuf::from).filter(|file| file.is_file())
}

fn has_servers() -> bool {
    let nats = std::env::var_os("NATS_SERVER").is_some_and(|file| Path::new(&file).is_file())
        || programs::tool("nats/bin/nats-server").is_some();
    let postgres = std::fs::read_dir("/usr/lib/postgresql").is_ok_and(|mut folder| folder.next().is_some());
    nats && works("redis-server", &["--version"]) && (postgres || works("postgres", &["--version"]))
}

/// Adds and removes a rule that sends nothing to a queue.
fn has_queues() -> bool {
    let rule = ["INPUT", "-p", "tcp", "--dport", "1", "-j", "NFQUEUE", "--queue-num", "0"];
    let run = |action: &str| works("iptables", &[&[action], &rule[..]].concat());
    run("-A") && run("-D")
}

/// Returns the command that starts this program again in a network and mounts of its own; `None` inside
/// of them, and where the machine gives none.
#[must_use]
pub fn own_network() -> Option<Command> {
    let own = ["-n", "-m", "--propagation", "private"];
    if std::env::var_os(OWN_NETWORK).is_some() || !works("unshare", &[&own[..], &["true"]].concat()) {
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(own).args(["sh", "-c", "ip link set lo up && exec \"$@\"", "sh"]);
    command.arg(std::env::current_exe().ok()?).args(std::env::args_os().skip(1)).env(OWN_NETWORK, "1");
    Some(command)
}
