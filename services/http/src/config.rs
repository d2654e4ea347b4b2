//! Limits of the listeners, and their certificate.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

barrage_part::part! {
    /// Limits of every listener.
    @[derive(Eq)]
    pub struct HttpConfig {
        /// Longest time from the first byte of a request, or from the accept, to the end of its header,
        /// in seconds. A client with a slow header holds a descriptor no longer.
        header_secs: u64 = 5, between(1, 60);
        /// Longest time from the end of the header to the end of the body, in seconds.
        body_secs: u64 = 10, between(1, 600);
        /// Longest idle time of a keep-alive connection between requests, in seconds. When connections
        /// run short, those that are idle for the longest are closed earlier.
        idle_secs: u64 = 120, between(1, 3_600);
        /// Time for which a client may read no byte of a waiting answer, in seconds; then the
        /// connection is reset. A phone comes back from a tunnel within this time. A client that reads
        /// slowly is kept, and so is a stream without data.
        write_stall_secs: u64 = 15, between(1, 600);
        /// Unsent bytes that the kernel holds for each HTTP connection. With the default, 1,000 clients
        /// that never read cost 32 MiB. A client must read half of this within `write_stall_secs`. Bytes
        /// in flight are not bounded by this.
        unsent_bytes_max: u32 = 32 * 1024, between(1_024, 1 << 30);
        /// Largest header block, in bytes; a larger one is answered with 431.
        header_bytes_max: usize = 16 * 1024, between(8_192, 1 << 20);
        /// Open connections of all listeners. Beyond, a new one gets 503 with `Retry-After` and is
        /// closed. A process may have 20,000 descriptors, and some are needed for files and servers.
        connections_max: usize = 18_000, between(1, 1_000_000);
        /// Open connections from one address (an IPv6 /64). Beyond, a new one gets 429 and is closed. An
        /// office behind one address can watch, and one machine cannot take every place.
        address_connections_max: usize = 500, between(1, 1_000_000);
        /// Limits of an IPv6 /48 as a multiple of those of a /64: connections, and each limit of
        /// `http.limits`. One customer of a hosting company has 65,536 networks of /64.
        ipv6_site_factor: u32 = 16, between(1, 65_536);
        /// Networks without a limit of connections and of `http.limits`, for load tests and local tools.
        /// Trusted proxies have no limits either; a client behind one has those of its own address,
        /// except for connections.
        unlimited_networks: Vec<IpNet> = loopback();
        /// Request rates of one address.
        limits: AddressLimitsConfig = AddressLimitsConfig::default();
        /// HTTP/2, which the listeners with TLS offer.
        http2: Http2Config = Http2Config::default();
        /// Proxies whose `X-Forwarded-For` is trusted. The client is the right-most address outside of
        /// these networks.
        trusted_proxies: Vec<IpNet> = Vec::new();
        /// Origins of pages on other hosts that may connect, post and read, such as
        /// `https://live.example`; `*` allows all. Without any, pages of the server's own host, and
        /// callers that are not browsers.
        allowed_origins: Vec<String> = Vec::new();
        /// Host names by which clients reach this server, besides `localhost`, IP addresses and the hosts
        /// of `allowed_origins`. A request for another host is refused. Without any, a server on loopback
        /// alone without a trusted proxy accepts no other host, because a page of any site can point its
        /// name at 127.0.0.1; other servers accept every host.
        hosts: Vec<String> = Vec::new();
        /// Time for which browsers use TLS alone for this host (Strict-Transport-Security), in seconds;
        /// 0 sends no header. Sent when the public listeners use TLS.
        hsts_secs: u64 = 15_552_000, between(0, 10 * 365 * 86_400);
        /// Origins of pages that may show the viewer page in a frame, such as `https://live.example` or
        /// `https://*.live.example`. Without any, pages of the server's own origin.
        frame_ancestors: Vec<String> = Vec::new();
        /// Origins from which the viewer page may load images of emotes, such as `https://cdn.example`.
        /// Without any, the server's own origin.
        image_origins: Vec<String> = Vec::new();
        /// Chain of certificates for TLS on the public listeners, in PEM. Without it, the listeners use
        /// plain HTTP, for a proxy before them. Renewed files are loaded within a minute, without a
        /// restart.
        tls_cert_file: Option<PathBuf> = None;
        /// Key of the first certificate, in PEM.
        tls_key_file: Option<PathBuf> = None;
        /// Time for which running requests may finish after a shutdown, in seconds.
        shutdown_secs: u64 = 5, between(0, 600);
    }
}

barrage_part::part! {
    /// HTTP/2 on the public listeners with TLS: a page's posts, history and media share one connection.
    /// WebSockets use HTTP/1.1, and a process that is a gateway alone offers nothing else.
    @[derive(Eq)]
    pub struct Http2Config {
        /// Whether the listeners offer HTTP/2. Off, clients use HTTP/1.1.
        offered: bool = true;
        /// Requests of one connection at the same time; the library refuses more. A page has less than
        /// ten. An answer whose client opens no window holds up to 16 KiB for each of them, 1 MiB with the
        /// default.
        streams_max: u32 = 64, between(1, 1_000);
        /// Bytes of one request's body that may arrive before its handler reads them.
        stream_window_bytes: u32 = 256 * 1024, between(65_535, 16 << 20);
        /// Bytes of all bodies of a connection that may arrive before their handlers read them.
        connection_window_bytes: u32 = 512 * 1024, between(65_535, 64 << 20);
        /// Requests that a connection may cancel in a second, with bursts of ten seconds. Beyond, the
        /// connection is closed. A page that is left cancels what it has asked for, once.
        resets_per_s: u32 = 20, between(1, 1_000_000);
        /// Frames without a request (PING, SETTINGS, PRIORITY, CONTINUATION, empty DATA) that a connection
        /// may send in a second, with bursts of ten seconds. Beyond, the connection is closed.
        control_frames_per_s: u32 = 100, between(1, 1_000_000);
    }
}

/// Returns the networks of loopback.
fn loopback() -> Vec<IpNet> {
    let v4 = Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8);
    vec![IpNet::V4(v4), IpNet::V6(Ipv6Net::from(Ipv6Addr::LOCALHOST))]
}

barrage_part::part! {
    /// Request rates of one address (an IPv6 /64). A further request is refused with 429, the name of
    /// the rule and a retry time. Posts have limits of their own (`uplink.limits`), and so has entry
    /// (`entry.address_per_s`).
    @[derive(Eq)]
    pub struct AddressLimitsConfig {
        /// Pages of history a second, of those in tunnels too. A viewer asks for one when it joins.
        history_per_s: u32 = 20, between(1, 100_000_000);
        /// Polls a second. A viewer without a stream asks about once a second, and an office shares an
        /// address.
        poll_per_s: u32 = 200, between(1, 100_000_000);
        /// Guest tokens a second. A visitor needs one.
        guests_per_s: u32 = 5, between(1, 100_000_000);
        /// Requests inside of tunnels a second: a tunnel with 16 requests costs 16. Requests for history
        /// count as history too.
        tunnel_per_s: u32 = 100, between(1, 100_000_000);
        /// Files of the page a second. A visit needs about five.
        page_per_s: u32 = 100, between(1, 100_000_000);
        /// Race resources, race reports and pings of uplinks a second. A viewer asks for three, and pings
        /// once in two minutes while it writes.
        race_per_s: u32 = 200, between(1, 100_000_000);
        /// Reports of viewers about others a second. Each takes a place in the queue that moderators read.
        reports_per_s: u32 = 2, between(1, 100_000_000);
        /// New uploads a second, parts of joined ones too.
        uploads_per_s: u32 = 5, between(1, 100_000_000);
        /// Requests for media a second. A page may show fifty pictures at once.
        media_per_s: u32 = 100, between(1, 100_000_000);
        /// Requests with a bad token a second, on any route. Beyond, the answer is 429 with a retry time
        /// instead of 401.
        bad_tokens_per_s: u32 = 5, between(1, 100_000_000);
        /// Seconds of each rate that an address may save up for a burst. A room full of people opens the
        /// page at the same time.
        burst_secs: u32 = 10, between(1, 3_600);
        /// Addresses that are counted; about 30 MB when full. At the bound the address that was unused for
        /// the longest is forgotten.
        addresses_max: usize = 100_000, between(1, 100_000_000);
    }
}
