//! The commands `controller` and `crd` of the binary.

use std::io::{IsTerminal, Write};

use anyhow::{Context, anyhow};
use axum::Router;
use axum::routing::get;
use barrage_autoscaler::resource::crd_yaml;
use barrage_autoscaler::{HttpSettings, RunConfig, run as run_controller};
use barrage_exposition::{Exemplars, Exposition, MetricsConfig};
use barrage_http::{HttpConfig, listen, serve};
use http::{HeaderMap, HeaderValue, header};
use prometheus::Registry;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::build_info;
use crate::cli::ControllerArgs;

/// Prints the CustomResourceDefinition of `FleetAutoscaler` as YAML, ready for `kubectl apply`.
pub(crate) fn print_crd() -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{}", crd_yaml()?.trim_end_matches('\n'))?;
    Ok(())
}

/// Runs the controller until SIGTERM or SIGINT.
pub(crate) fn run(args: ControllerArgs) -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init()
        .map_err(|error| anyhow!("logging cannot start: {error}"))?;
    tokio::runtime::Runtime::new()?.block_on(control(args))
}

async fn control(args: ControllerArgs) -> anyhow::Result<()> {
    let registry = Registry::new();
    let identity = args.identity.unwrap_or_else(host_name);
    build_info::register(&identity, &registry)?;
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let listener = listen(args.listen).with_context(|| format!("cannot listen on {}", args.listen))?;
    let serving = tokio::spawn(serve(vec![listener], router(&registry), HttpConfig::default(), stop.clone()));
    let config = RunConfig {
        namespace: args.namespace,
        interval: args.interval,
        lease: args.lease,
        identity,
        http: HttpSettings {
            token_file: args.token_file,
            ca_file: args.ca_file,
            gateway_tls_name: args.gateway_tls_name,
        },
        record: args.record,
    };
    let signalled = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    let result = Box::pin(run_controller(config, &registry, signalled)).await;
    stop.cancel();
    serving.await??;
    result
}

/// Name of the host, which in Kubernetes is the name of the pod.
fn host_name() -> String {
    std::env::var("HOSTNAME").unwrap_or_else(|_| format!("process-{}", std::process::id()))
}

fn router(registry: &Registry) -> Router {
    let exposition = Exposition::new(registry.clone(), Exemplars::default(), &MetricsConfig::default());
    let metrics = async move |headers: HeaderMap| {
        let accept = headers.get_all(header::ACCEPT).iter().map(HeaderValue::as_bytes);
        let (content_type, body) = exposition.scrape(accept);
        ([(header::CONTENT_TYPE, content_type)], body)
    };
    let ok = async || "ok\n";
    Router::new().route("/metrics", get(metrics)).route("/healthz", get(ok)).route("/readyz", get(ok))
}
