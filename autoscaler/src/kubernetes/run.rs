//! The controller as a process: the election beside the passes.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client, Config};
use prometheus::Registry;
use tokio::time::MissedTickBehavior;

use super::controller::Controller;
use super::lease::{Election, RETRY};
use super::metrics::ControllerMetrics;

/// An API server that takes longer has failed this pass.
const API_TIMEOUT: Duration = Duration::from_secs(5);

/// How the process runs.
#[derive(Debug, Clone)]
pub struct RunConfig {
    /// The namespace that is looked after; that of the service account when absent.
    pub namespace: Option<String>,
    /// Time between two passes.
    pub interval: Duration,
    /// Name of the Lease.
    pub lease: String,
    /// This replica's name.
    pub identity: String,
    /// File with a token of the role admin, for entry and the gateways.
    pub token_file: Option<PathBuf>,
    /// Folder in which what is seen is kept.
    pub record: Option<PathBuf>,
}

/// Runs until `shutdown` is done, then gives the lease up.
///
/// # Errors
/// When no cluster is configured.
pub async fn run(
    config: RunConfig,
    registry: &Registry,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let mut cluster = Config::infer().await.context("no cluster is configured")?;
    cluster.connect_timeout = Some(API_TIMEOUT);
    cluster.read_timeout = Some(API_TIMEOUT);
    cluster.write_timeout = Some(API_TIMEOUT);
    cluster.reset_reader_on_write = true;
    // A pass is tried again anyway, on what is there by then.
    cluster.default_retry = false;
    let namespace = config.namespace.unwrap_or_else(|| cluster.default_namespace.clone());
    let client = Client::try_from(cluster).context("the cluster's configuration")?;
    let leases: Api<Lease> = Api::namespaced(client.clone(), &namespace);
    let (mut election, fence) = Election::new(leases, &config.lease, &config.identity);
    let metrics = ControllerMetrics::new(registry)?;
    let token_file = config.token_file.as_deref();
    let mut controller = Controller::new(client, &namespace, config.interval, fence, metrics, token_file);
    if let Some(folder) = &config.record {
        controller.record(folder).with_context(|| format!("cannot record to {}", folder.display()))?;
    }
    tracing::info!(namespace, identity = config.identity, "the controller runs");
    let electing = async {
        let mut ticks = tokio::time::interval(RETRY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = election.tick().await {
                tracing::warn!(%error, "the lease could not be renewed");
            }
        }
    };
    let passing = async {
        let mut ticks = tokio::time::interval(config.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            controller.pass(now()).await;
        }
    };
    tokio::select! {
        () = electing => {}
        () = passing => {}
        () = shutdown => {}
    }
    election.resign().await;
    Ok(())
}

fn now() -> Duration {
    // A clock before 1970 is a clock that is not set: the core holds.
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
