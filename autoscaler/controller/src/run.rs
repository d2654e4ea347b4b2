//! The controller's loop: leader election beside the passes.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client, Config};
use prometheus::Registry;
use tokio::time::MissedTickBehavior;

use crate::http::HttpSettings;
use crate::lease::{Election, RETRY};
use crate::metrics::ControllerMetrics;
use crate::reconcile::Controller;

/// Longest time for a request to the API server. A slower one fails the pass.
const API_TIMEOUT: Duration = Duration::from_secs(5);

/// Settings of the controller process, read once at the start.
#[derive(Debug, Clone)]
pub struct RunConfig {
    /// Namespace of the fleets; the service account's or the kubeconfig's when absent.
    pub namespace: Option<String>,
    /// Time between two passes over all fleets.
    pub interval: Duration,
    /// Name of the Lease that elects the leader among the replicas.
    pub lease: String,
    /// Name of this replica in the Lease.
    pub identity: String,
    /// Token and authorities of the requests to entry, gateways and Prometheus.
    pub http: HttpSettings,
    /// Folder of the log of observations, if one is kept.
    pub record: Option<PathBuf>,
}

/// Runs until `shutdown` completes, then gives the Lease up.
///
/// # Errors
/// When no cluster is configured, or when the file with authorities cannot be used.
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
    // The next pass is the retry, on the objects that exist by then.
    cluster.default_retry = false;
    let namespace = config.namespace.unwrap_or_else(|| cluster.default_namespace.clone());
    let client = Client::try_from(cluster).context("the cluster's configuration is unusable")?;
    let leases: Api<Lease> = Api::namespaced(client.clone(), &namespace);
    let (mut election, fence) = Election::new(leases, &config.lease, &config.identity);
    let metrics = ControllerMetrics::new(registry)?;
    let mut controller = Controller::new(client, &namespace, config.interval, fence, metrics, &config.http)
        .context("--ca-file")?;
    if let Some(folder) = &config.record {
        controller.record(folder).with_context(|| format!("cannot record to {}", folder.display()))?;
    }
    tracing::info!(namespace, identity = config.identity, "controller started");
    let electing = async {
        let mut ticks = tokio::time::interval(RETRY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = election.tick().await {
                tracing::warn!(%error, "lease could not be renewed");
            }
        }
    };
    let passing = async {
        let mut ticks = tokio::time::interval(config.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            controller.pass(barrage_clock::since_unix_epoch()).await;
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
