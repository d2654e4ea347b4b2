//! `controller` and `crd`.

use std::io::IsTerminal;

use anyhow::{Context, anyhow};
use axum::Router;
use axum::routing::get;
use barrage_autoscaler::kubernetes::{RunConfig, crd_yaml, run};
use barrage_http::{HttpConfig, listen, serve};
use prometheus::{Registry, TextEncoder};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::cli::{self, ControllerArgs};

/// Prints the definition of `FleetAutoscaler`.
pub(crate) fn crd() -> anyhow::Result<()> {
    cli::say(&crd_yaml()?)
}

/// Runs until a signal.
pub(crate) fn main(asked: ControllerArgs) -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init()
        .map_err(|error| anyhow!("logging could not start: {error}"))?;
    tokio::runtime::Runtime::new()?.block_on(control(asked))
}

async fn control(asked: ControllerArgs) -> anyhow::Result<()> {
    let registry = Registry::new();
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let listener = listen(asked.listen).with_context(|| format!("cannot listen on {}", asked.listen))?;
    let serving = tokio::spawn(serve(vec![listener], router(&registry), HttpConfig::default(), stop.clone()));
    let config = RunConfig {
        namespace: asked.namespace,
        interval: asked.interval,
        lease: asked.lease,
        identity: asked.identity.unwrap_or_else(identity),
        token_file: asked.token_file,
        record: asked.record,
    };
    let signalled = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    let ran = Box::pin(run(config, &registry, signalled)).await;
    stop.cancel();
    serving.await??;
    ran
}

/// A pod's name is its host name.
fn identity() -> String {
    std::env::var("HOSTNAME").unwrap_or_else(|_| format!("process-{}", std::process::id()))
}

fn router(registry: &Registry) -> Router {
    let registry = registry.clone();
    let metrics = async move || TextEncoder::new().encode_to_string(&registry.gather()).unwrap_or_default();
    let ok = async || "ok\n";
    Router::new().route("/metrics", get(metrics)).route("/healthz", get(ok)).route("/readyz", get(ok))
}
