//! Arguments of the commands that start servers: addresses and sizes.

use std::net::SocketAddr;

use clap::Args;

use super::replay::ReplayArguments;
use crate::config::parse_address;
use crate::ready::ReadyFd;

/// Addresses of a server process.
#[derive(Debug, Args)]
pub(crate) struct ListenArguments {
    /// Public address, such as 127.0.0.1:8080 or localhost:8080; may be given several times. Port 0
    /// chooses a free port.
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    pub(crate) listen: Vec<SocketAddr>,
    /// Address of the admin API, metrics and health.
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    pub(crate) admin_listen: Option<SocketAddr>,
    /// Write one JSON line with the addresses to this file descriptor once the process listens, for
    /// the program that started it. With 1, standard output carries that line alone.
    #[arg(long, value_name = "N")]
    ready_fd: Option<u32>,
}

impl ListenArguments {
    /// Descriptor for the ready line.
    pub(crate) fn ready_fd(&self) -> Option<ReadyFd> {
        self.ready_fd.map(ReadyFd)
    }
}

#[derive(Debug, Args)]
pub(crate) struct RoleArguments {
    #[command(flatten)]
    pub(crate) listen: ListenArguments,
    /// Stop at the end of standard input, that is, together with the process that holds its other
    /// side.
    #[arg(long, hide = true)]
    pub(crate) with_stdin: bool,
}

/// Arguments of an uplink, the one role that plays recordings.
#[derive(Debug, Args)]
pub(crate) struct UplinkArguments {
    #[command(flatten)]
    pub(crate) role: RoleArguments,
    #[command(flatten)]
    pub(crate) replay: ReplayArguments,
}

#[derive(Debug, Args)]
pub(crate) struct UpArguments {
    #[command(flatten)]
    pub(crate) listen: ListenArguments,
    #[command(flatten)]
    pub(crate) replay: ReplayArguments,
    /// Start a fleet of processes on this machine instead of one process, with nats-server and
    /// redis-server from PATH unless [nats] and [redis] name other servers.
    #[arg(long)]
    pub(crate) cluster: bool,
    /// Number of gateways, 1 to 32; implies `--cluster`. Default 3.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=32))]
    pub(crate) gateways: Option<u16>,
    /// Number of uplinks, 1 to 32; implies `--cluster`. Default 2.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=32))]
    pub(crate) uplinks: Option<u16>,
    /// Start, drain and stop gateways as the number of viewers changes, from the given number of
    /// gateways on; implies `--cluster`.
    #[arg(long)]
    pub(crate) autoscale: bool,
}

impl UpArguments {
    /// Whether a fleet is started instead of a single process.
    pub(crate) fn is_fleet(&self) -> bool {
        self.cluster || self.autoscale || self.gateways.is_some() || self.uplinks.is_some()
    }
}
