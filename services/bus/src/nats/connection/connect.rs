//! Connecting to the servers, and the events of the connection.

use std::time::Duration;

use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, ServerAddr};
use tokio::sync::watch;

use super::gather::Gatherer;
use crate::config::BusConfig;
use crate::metrics::BusMetrics;
use crate::nats::config::NatsConfig;

/// Oldest server that works. 2.12.0 refuses message ids in atomic batches; 2.12.1 accepts them,
/// and stops to answer after a few.
const VERSION_MIN: (i64, i64, i64) = (2, 12, 2);
/// Ceiling of the first pause before connecting again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(50);

/// Why the cluster engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// The section `[nats]` is invalid; the text names the setting. Another attempt cannot succeed.
    #[error("[nats] {0}")]
    Config(&'static str),
    /// No server answered, or none accepted this client.
    #[error("no NATS server can be used: {0}")]
    Connect(#[from] async_nats::ConnectError),
    /// The connection's thread could not be started.
    #[error("no thread for the connection to NATS: {0}")]
    Thread(#[from] std::io::Error),
    /// The server is older than 2.12.2 and cannot store atomic batches of messages with ids.
    #[error("NATS {found} is too old: atomic batches with message ids need 2.12.2")]
    TooOld {
        /// Version that the server reports of itself.
        found: String,
    },
    /// The streams on the servers were made with another number of partitions.
    #[error(
        "nats.partitions is {wanted}, but the first streams on NATS were made with {made}: set it back; \
         `barrage bus partitions set` changes the number of partitions, as docs/guide/operate.md says under \
         `Partitions` (new streams in place of these need nats.first_sequence = {next} or more)"
    )]
    Partitions {
        /// Number of partitions of the existing streams, by their subjects.
        made: u16,
        /// Number of partitions in the configuration of this process.
        wanted: u16,
        /// First position that none of the existing streams has given.
        next: u64,
    },
    /// A lane ends before what the inbox has taken: it was replaced or restored, and would give positions again.
    #[error(
        "{lane} on NATS ends at record {newest}, and the inbox has taken up to {taken}; delete the stream, so that a \
         new one begins behind it"
    )]
    LaneEnds {
        /// Name of the stream of the lane.
        lane: String,
        /// Newest record of the stream.
        newest: u64,
        /// Record up to which the inbox has taken the lane.
        taken: u64,
    },
    /// The server refused to declare or show a stream or bucket.
    #[error("{what} on NATS: {reason}")]
    Setup {
        /// Name of the stream or bucket that could not be declared or found.
        what: String,
        /// Error text of the server, or that it did not answer.
        reason: String,
    },
}

impl NatsError {
    /// Returns whether another attempt may succeed: the server may be starting or may have no leader yet.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            NatsError::Config(_)
            | NatsError::TooOld { .. }
            | NatsError::Partitions { .. }
            | NatsError::LaneEnds { .. } => false,
            NatsError::Connect(error) => !matches!(
                error.kind(),
                ConnectErrorKind::ServerParse
                    | ConnectErrorKind::Authentication
                    | ConnectErrorKind::AuthorizationViolation
                    | ConnectErrorKind::Tls
            ),
            NatsError::Setup { .. } | NatsError::Thread(_) => true,
        }
    }
}

/// Counts of the moments at which a subscription may have missed messages.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Disturbances {
    /// Connections made; requests on an earlier connection are never answered.
    pub(crate) connects: u64,
    lags: u64,
}

/// A connection and what belongs to it.
pub(crate) struct Connection {
    pub(crate) client: Client,
    /// Changes with each new connection and each subscription whose channel was full: readers then ask for
    /// what they missed.
    pub(crate) disturbances: watch::Receiver<Disturbances>,
    /// Thread of the connection, if it has its own; it must outlive the client.
    pub(crate) gatherer: Option<Gatherer>,
}

/// Connects to one of the configured servers and checks its version. The client connects again by itself
/// whenever the connection is lost, without a limit on attempts.
pub(crate) async fn connect(
    config: &NatsConfig,
    limits: &BusConfig,
    metrics: &BusMetrics,
) -> Result<Connection, NatsError> {
    let (disturbed, disturbances) = watch::channel(Disturbances::default());
    let metrics = metrics.clone();
    let on_event = move |event: Event| {
        match &event {
            Event::Connected => disturbed.send_modify(|times| times.connects += 1),
            Event::SlowConsumer(_) => {
                metrics.slow_subscriptions.inc();
                disturbed.send_modify(|times| times.lags += 1);
            }
            Event::Disconnected => {
                metrics.disconnects.inc();
                tracing::warn!("the connection to NATS is lost");
            }
            Event::LameDuckMode | Event::Draining | Event::Closed | Event::ServerError(_) => {
                tracing::warn!(%event, "NATS client event");
            }
            // One for each attempt to connect again; `liveness` logs silent servers once.
            Event::ClientError(_) => tracing::debug!(%event, "NATS client event"),
        }
        std::future::ready(())
    };
    let pause_max = Duration::from_millis(config.reconnect_pause_ms_max);
    let mut options = ConnectOptions::new()
        .name("barrage")
        .connection_timeout(Duration::from_millis(config.connect_timeout_ms))
        .request_timeout(Some(config.request_timeout()))
        .ping_interval(Duration::from_secs(config.ping_interval_secs))
        .subscription_capacity(limits.subscriber_lag_max)
        .max_reconnects(None)
        .reconnect_delay_callback(move |attempts| reconnect_pause(attempts, pause_max))
        .event_callback(on_event);
    if let Some(file) = &config.tls_ca_file {
        options = options.add_root_certificates(file.clone());
    }
    match (&config.tls_cert_file, &config.tls_key_file) {
        (Some(cert), Some(key)) => options = options.add_client_certificate(cert.clone(), key.clone()),
        (None, None) => {}
        (Some(_), None) | (None, Some(_)) => {
            return Err(NatsError::Config("tls_cert_file and tls_key_file go together"));
        }
    }
    let named = servers(config)?;
    // The client does not use the credentials in an address, but logs them.
    if let Some((user, password)) = named.iter().find_map(|it| it.username().zip(it.password())) {
        options = options.user_and_password(user.into(), password.into());
    }
    let servers = without_credentials(config)?;
    let nap_us_max = config.gather_us_max.unwrap_or_default();
    let (client, gatherer) = if nap_us_max == 0 {
        (options.connect(servers).await?, None)
    } else {
        let gatherer = Gatherer::start(Duration::from_micros(nap_us_max))?;
        let client = gatherer.run(options.connect(servers)).await??;
        gatherer.count(client.statistics());
        (client, Some(gatherer))
    };
    let (major, minor, patch) = VERSION_MIN;
    if !client.is_server_compatible(major, minor, patch) {
        return Err(NatsError::TooOld { found: client.server_info().version });
    }
    Ok(Connection { client, disturbances, gatherer })
}

fn servers(config: &NatsConfig) -> Result<Vec<ServerAddr>, NatsError> {
    let parsed: Result<Vec<_>, _> =
        config.urls.iter().map(|url| url.expose().parse::<ServerAddr>()).collect();
    let servers = parsed.map_err(|_| NatsError::Config("urls are nats://[user:password@]host:port"))?;
    if servers.is_empty() { Err(NatsError::Config("urls names no server")) } else { Ok(servers) }
}

/// Returns the configured servers without user and password, for logs.
pub(crate) fn redacted(config: &NatsConfig) -> Result<String, NatsError> {
    let name = |server: &ServerAddr| format!("{}://{}:{}", server.scheme(), server.host(), server.port());
    Ok(servers(config)?.iter().map(name).collect::<Vec<_>>().join(", "))
}

/// Returns the configured servers by scheme, host and port alone.
fn without_credentials(config: &NatsConfig) -> Result<Vec<ServerAddr>, NatsError> {
    let bare = |url: &str| match url.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", rest.rsplit('@').next().unwrap_or(rest)),
        None => url.rsplit('@').next().unwrap_or(url).to_owned(),
    };
    let parsed: Result<Vec<_>, _> = config.urls.iter().map(|url| bare(url.expose()).parse()).collect();
    parsed.map_err(|_| NatsError::Config("urls are nats://[user:password@]host:port"))
}

/// Full jitter: all clients of a server that ended lose it at the same moment.
fn reconnect_pause(attempts: usize, pause_max: Duration) -> Duration {
    let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
    barrage_backoff::ceiling(RECONNECT_PAUSE, pause_max, attempts).mul_f64(rand::random())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logged_server_names_have_no_credentials() {
        let urls = ["nats://ann:s3cret@one:4222".to_owned(), "tls://two".to_owned()];
        let config = NatsConfig { urls: urls.map(Into::into).into(), ..NatsConfig::default() };
        assert_eq!(redacted(&config).unwrap(), "nats://one:4222, tls://two:4222");
    }
}
