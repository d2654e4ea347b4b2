//! Settings of the IRC gateway.

use std::net::SocketAddr;
use std::time::Duration;

barrage_part::part! {
    /// The IRC gateway, in `barrage irc` or in `barrage up`: IRC over TCP and over WebSocket, for bots and
    /// clients of others. Off while it has no address.
    @[derive(Eq)]
    pub struct IrcConfig {
        /// Addresses for IRC without TLS, such as `0.0.0.0:6667`. IRC over TCP and over WebSocket share an
        /// address: the first bytes of a connection decide.
        listen: Vec<SocketAddr> = Vec::new();
        /// Addresses for IRC with TLS, such as `0.0.0.0:6697`, with the certificate of `http.tls_cert_file`.
        tls_listen: Vec<SocketAddr> = Vec::new();
        /// Base URL of entry, such as `https://chat.example`. Without it, the first public address of the
        /// configuration.
        entry_url: Option<String> = None;
        /// Connections of IRC clients in this process.
        connections_max: usize = 2_000, between(1, 1_000_000);
        /// Connections of one address, an IPv6 /64.
        address_connections_max: usize = 50, between(1, 1_000_000);
        /// Rooms of one connection. Each room costs one viewer of this process at a gateway, which allows a
        /// user `gateway.user_connections_max` of them.
        rooms_max: usize = 20, between(1, 1_000);
        /// Lines of a client in a second, with a burst of five times as many. A client that sends more is
        /// closed.
        lines_per_s: u32 = 20, between(1, 10_000);
        /// Posts and commands of one connection that wait for their answers, which are made in order. The
        /// next one is refused with a NOTICE.
        posts_waiting_max: usize = 32, between(1, 1_000);
        /// Bytes that wait for a slow reader, which is closed beyond them.
        queue_bytes_max: usize = 262_144, between(16_384, 16_777_216);
        /// Time in seconds in which a client must log in.
        login_secs: u64 = 15, between(1, 300);
        /// Silence of a client in seconds after which the gateway sends PING; after twice this time the
        /// client is closed.
        ping_secs: u64 = 60, between(5, 3_600);
        /// Time in seconds that clients have to reconnect elsewhere when the process stops. They get
        /// RECONNECT spread over the first half.
        drain_secs: u64 = 10, between(0, 600);
    }
}

impl IrcConfig {
    /// Whether the gateway has an address, and so runs in `barrage up`.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.listen.is_empty() || !self.tls_listen.is_empty()
    }

    pub(crate) fn login(&self) -> Duration {
        Duration::from_secs(self.login_secs)
    }

    pub(crate) fn ping(&self) -> Duration {
        Duration::from_secs(self.ping_secs)
    }

    pub(crate) fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_secs)
    }
}
