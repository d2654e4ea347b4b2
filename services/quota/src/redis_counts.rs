//! The shared counts: Redis, one script call for each request.

use std::path::PathBuf;
use std::time::Duration;

use barrage_flow::{GRAINS, LeaseGrant, LeaseRequest, LeaseTerms, Rule, Window};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::io::tcp::TcpSettings;
use redis::{
    Client, ClientTlsConfig, IntoConnectionInfo, RedisError, Script, ScriptInvocation, TlsCertificates,
};

use crate::config::{Address, RedisQuotaConfig};
use crate::error::QuotaError;

/// Longest time of an attempt to connect, and of sent data without an acknowledgement from the other
/// side's kernel: a vanished peer is detected within it.
const CONNECTION_LOST: Duration = Duration::from_secs(1);
/// Longest pause between two attempts to connect.
const RECONNECT_PAUSE_MAX: Duration = Duration::from_millis(500);

/// Answer of Redis to a request: granted units, or the time after which to ask again.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    Granted(LeaseGrant),
    Refused { retry_after: Duration, fits: u32 },
}

/// A connection that reconnects by itself, and the scripts.
#[derive(Clone)]
pub(crate) struct RedisCounts {
    connection: ConnectionManager,
    bucket: Script,
    window: Script,
    give_back: Script,
}

impl RedisCounts {
    /// Connects in the background. `deadline` is the longest wait of a caller.
    pub(crate) fn connect(config: &RedisQuotaConfig, deadline: Duration) -> Result<Self, QuotaError> {
        let connection = connection(&config.address(), deadline)?;
        let bucket = Script::new(include_str!("lua/bucket.lua"));
        let window = Script::new(include_str!("lua/window.lua"));
        let give_back = Script::new(include_str!("lua/give_back.lua"));
        let counts = RedisCounts { connection, bucket, window, give_back };
        connect_ahead(&counts.connection);
        Ok(counts)
    }

    /// Calls the script of the rule. The client loads it again into a server that has lost it.
    pub(crate) async fn request(
        &self,
        key: &str,
        rule: &Rule,
        terms: Option<&LeaseTerms>,
        request: LeaseRequest,
    ) -> Result<Answer, RedisError> {
        let call = match rule {
            Rule::Rate(_) => &self.bucket,
            Rule::Window(_) => &self.window,
        };
        let mut call = call.key(key);
        arguments(&mut call, rule, terms, request);
        let mut connection = self.connection.clone();
        let (units, life_us, retry_after_us, fits, mark): (u32, u64, u64, u32, u64) =
            call.invoke_async(&mut connection).await?;
        if units == 0 {
            return Ok(Answer::Refused { retry_after: Duration::from_micros(retry_after_us), fits });
        }
        Ok(Answer::Granted(LeaseGrant { units, length: Duration::from_micros(life_us), mark }))
    }

    /// Gives back units of a window that were taken `age` ago. Returns how many still counted.
    pub(crate) async fn give_back(
        &self,
        key: &str,
        window: &Window,
        units: u32,
        age: Duration,
    ) -> Result<u32, RedisError> {
        let mut call = self.give_back.key(key);
        call.arg(grain_us(window)).arg(GRAINS).arg(units).arg(age.as_micros() as u64);
        call.invoke_async(&mut self.connection.clone()).await
    }
}

/// Makes the first connection without a deadline, in a task of its own. A connection is made by the callers
/// that wait for it, and those give up at their deadline.
pub(crate) fn connect_ahead(connection: &ConnectionManager) {
    let mut connection = connection.clone();
    tokio::spawn(async move {
        if let Err(error) = redis::cmd("PING").query_async::<()>(&mut connection).await {
            tracing::debug!(%error, "the first connection to Redis failed");
        }
    });
}

/// Returns a connection that reconnects by itself. The first caller that waits for it makes it; each
/// answer is awaited up to the deadline.
pub(crate) fn connection(address: &Address<'_>, deadline: Duration) -> Result<ConnectionManager, QuotaError> {
    let settings = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECTION_LOST))
        .set_response_timeout(Some(deadline))
        .set_max_delay(RECONNECT_PAUSE_MAX);
    ConnectionManager::new_lazy_with_config(client(address)?, settings).map_err(QuotaError::Url)
}

pub(crate) fn client(address: &Address<'_>) -> Result<Client, QuotaError> {
    let info = address.url.expose().into_connection_info().map_err(QuotaError::Url)?;
    let tcp = TcpSettings::default().set_nodelay(true);
    #[cfg(target_os = "linux")]
    let tcp = tcp.set_user_timeout(CONNECTION_LOST);
    let info = info.set_tcp_settings(tcp);
    if !address.url.expose().starts_with("rediss:") {
        return Client::open(info).map_err(QuotaError::Url);
    }
    // Fails when the process has installed a provider already, which is then used.
    drop(rustls::crypto::ring::default_provider().install_default());
    let read = |name: &'static str, path: &PathBuf| {
        std::fs::read(path).map_err(|error| QuotaError::Tls(name, format!("{}: {error}", path.display())))
    };
    let client_tls = match (address.tls_cert_file, address.tls_key_file) {
        (Some(cert), Some(key)) => Some(ClientTlsConfig {
            client_cert: read("tls_cert_file", cert)?,
            client_key: read("tls_key_file", key)?,
        }),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            return Err(QuotaError::Tls(
                "tls_cert_file",
                "set both tls_cert_file and tls_key_file, or neither".into(),
            ));
        }
    };
    let root_cert = address.tls_ca_file.map(|path| read("tls_ca_file", path)).transpose()?;
    Client::build_with_tls(info, TlsCertificates { client_tls, root_cert }).map_err(QuotaError::Url)
}

/// Returns the width of a window's fine buckets in microseconds.
fn grain_us(window: &Window) -> u64 {
    window.length().as_nanos().div_ceil(GRAINS as u128 * 1_000) as u64
}

/// Adds the arguments in the order that the scripts document.
fn arguments(
    call: &mut ScriptInvocation<'_>,
    rule: &Rule,
    terms: Option<&LeaseTerms>,
    request: LeaseRequest,
) {
    let length_us = terms.map_or(0, |terms| terms.length().as_micros() as u64);
    match rule {
        Rule::Rate(rate) => {
            let per_us = rate.per().as_nanos() as f64 / 1_000.0;
            let reserve = terms.map_or(0, LeaseTerms::reserve);
            call.arg(rate.units()).arg(per_us).arg(rate.burst()).arg(reserve);
            call.arg(request.need).arg(request.want).arg(length_us).arg(request.give_back).arg(request.debt);
        }
        Rule::Window(window) => {
            call.arg(window.limit()).arg(grain_us(window)).arg(GRAINS);
            call.arg(request.need).arg(request.want).arg(length_us).arg(request.give_back).arg(request.mark);
            call.arg(request.debt);
        }
    }
}
