//! Accepts connections until the shutdown, and waits for those that are left.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use barrage_client::HttpPool;
use barrage_http::Tls;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::greet::greet;
use super::slots::{Slot, Slots};
use crate::config::IrcConfig;
use crate::connection::{self, ConnectionContext, Io};
use crate::metrics::{IrcMetrics, Refused};

/// Pause after a failed accept (out of descriptors), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Time for connections beyond the drain, to write their last line.
const LAST_MAX: Duration = Duration::from_secs(8);

/// Everything that the gateway needs. The listeners are bound by the caller.
pub struct IrcParts {
    /// Settings of the gateway, from the table `[irc]`.
    pub config: IrcConfig,
    /// Base URL of entry, which the viewers and senders ask.
    pub entry_url: String,
    /// Connections and authorities of the viewers and senders.
    pub pool: HttpPool,
    /// Handles of the metrics, registered by the caller.
    pub metrics: IrcMetrics,
    /// Listeners for IRC without TLS.
    pub plain: Vec<TcpListener>,
    /// Listeners for IRC with TLS, with the certificate that they present.
    pub encrypted: Option<(Tls, Vec<TcpListener>)>,
}

struct Acceptor {
    slots: Arc<Slots>,
    connections: TaskTracker,
    context: Arc<ConnectionContext>,
}

/// Serves IRC until the shutdown. Then the listeners close at once, and clients are asked to reconnect.
pub async fn run(parts: IrcParts, shutdown: CancellationToken) {
    let IrcParts { config, entry_url, pool, metrics, plain, encrypted } = parts;
    let drain = config.drain();
    let slots = Slots::new(config.connections_max, config.address_connections_max);
    let metrics = Arc::new(metrics);
    let context = ConnectionContext { config, entry_url, pool, metrics, shutdown: shutdown.clone() };
    let acceptor = Arc::new(Acceptor { slots, connections: TaskTracker::new(), context: Arc::new(context) });
    let mut loops = tokio::task::JoinSet::new();
    for listener in plain {
        loops.spawn(accept(listener, None, Arc::clone(&acceptor)));
    }
    if let Some((tls, listeners)) = encrypted {
        for listener in listeners {
            let tls = TlsAcceptor::from(tls.server_config());
            loops.spawn(accept(listener, Some(tls), Arc::clone(&acceptor)));
        }
    }
    shutdown.cancelled().await;
    loops.shutdown().await;
    acceptor.connections.close();
    if tokio::time::timeout(drain + LAST_MAX, acceptor.connections.wait()).await.is_err() {
        tracing::warn!(left = acceptor.connections.len(), "IRC connections are left behind");
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, acceptor: Arc<Acceptor>) {
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => acceptor.take(socket, peer, tls.clone()),
            Err(error) => {
                tracing::warn!(%error, "an IRC connection cannot be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

impl Acceptor {
    /// Starts the task of a connection, or refuses the connection with an `ERROR` line.
    fn take(&self, socket: TcpStream, peer: SocketAddr, tls: Option<TlsAcceptor>) {
        let metrics = &self.context.metrics;
        match self.slots.take(peer.ip()) {
            Ok(slot) => {
                // Lines are small and wait for nothing.
                drop(socket.set_nodelay(true));
                let context = Arc::clone(&self.context);
                self.connections.spawn(serve(socket, slot, tls, context));
            }
            Err(refused) => {
                metrics.refused(refused);
                let why = match refused {
                    Refused::Address => "too many connections from your address",
                    Refused::Full | Refused::Handshake => "the server is full, try another one",
                };
                if tls.is_none() {
                    drop(socket.try_write(format!("ERROR :Closing link: {why}\r\n").as_bytes()));
                }
            }
        }
    }
}

async fn serve(socket: TcpStream, slot: Slot, tls: Option<TlsAcceptor>, context: Arc<ConnectionContext>) {
    let greeting = async {
        let socket: Box<dyn Io> = match tls {
            Some(tls) => Box::new(tls.accept(socket).await.ok()?),
            None => Box::new(socket),
        };
        greet(socket).await
    };
    let greeted = tokio::select! {
        greeted = tokio::time::timeout(context.config.login(), greeting) => greeted.ok().flatten(),
        () = context.shutdown.cancelled() => return,
    };
    match greeted {
        Some(arrived) => Box::pin(connection::serve(arrived, context)).await,
        None => context.metrics.refused(Refused::Handshake),
    }
    drop(slot);
}
