//! Command line of the controller: subcommands and their arguments.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use rustls::pki_types::ServerName;

/// Shortest and longest time between two decisions.
const INTERVAL: std::ops::RangeInclusive<Duration> = Duration::from_millis(200)..=Duration::from_secs(30);

const EXAMPLES: &str = "  \
  Scale the fleets of a Kubernetes namespace:
    barrage-autoscaler crd | kubectl apply -f -
    barrage-autoscaler controller --namespace live --token-file token";

/// Keeps as many gateways as the viewers need, and simulates a policy before viewers depend on
/// it.
#[derive(Debug, Parser)]
#[command(version, after_long_help = examples())]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[cfg(feature = "lab")]
    #[command(flatten)]
    Lab(barrage_autoscaler_lab::Command),
    /// Scale the fleets of a Kubernetes namespace, each described by a FleetAutoscaler.
    Controller(ControllerArgs),
    /// Print the CustomResourceDefinition of FleetAutoscaler, for `kubectl apply`.
    Crd,
}

#[derive(Debug, Args)]
pub(crate) struct ControllerArgs {
    /// Namespace of the fleets. When absent, the service account's or the kubeconfig's.
    #[arg(long, env = "BARRAGE_NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// Address of the listener for metrics and health.
    #[arg(long, env = "BARRAGE_LISTEN", default_value = "127.0.0.1:8081", value_name = "ADDR")]
    pub(crate) listen: SocketAddr,
    /// Time between two decisions, 200ms to 30s.
    #[arg(long, default_value = "2s", value_parser = interval, value_name = "TIME")]
    pub(crate) interval: Duration,
    /// Name of the Lease with which replicas elect their leader.
    #[arg(long, default_value = "barrage-autoscaler", value_name = "NAME")]
    pub(crate) lease: String,
    /// Name of this replica in the Lease. When absent, the host name.
    #[arg(long, value_name = "NAME")]
    pub(crate) identity: Option<String>,
    /// File with a token of the role admin, for the admin listeners of entry and gateways. The
    /// controller reads it for each request, so that it can be replaced.
    #[arg(long, env = "BARRAGE_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// PEM file with authorities to trust beside those of the system, for `https` URLs of entry and
    /// Prometheus, and for the gateways' admin listeners.
    #[arg(long, env = "BARRAGE_CA_FILE", value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Use TLS to the gateways' admin listeners, and demand a certificate for this name: the
    /// controller reaches each gateway by the address of its pod. When absent, plain HTTP.
    #[arg(long, value_name = "NAME", value_parser = server_name)]
    pub(crate) gateway_tls_name: Option<ServerName<'static>>,
    /// Log the observations of each fleet to a file in this folder, at most 512 MiB each, for
    /// `explain` and `compare`.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) record: Option<PathBuf>,
}

fn server_name(text: &str) -> Result<ServerName<'static>, String> {
    text.to_owned().try_into().map_err(|_| "expected a host name or an IP address".into())
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if INTERVAL.contains(&interval) { Ok(interval) } else { Err("expected 200ms to 30s".into()) }
}

#[cfg(feature = "lab")]
fn examples() -> String {
    use barrage_autoscaler_lab::{EXAMPLES as LAB, TRACE_FILE};
    format!("Examples:\n{LAB}\n{EXAMPLES}\n\n{TRACE_FILE}")
}

#[cfg(not(feature = "lab"))]
fn examples() -> String {
    format!("Examples:\n{EXAMPLES}")
}
