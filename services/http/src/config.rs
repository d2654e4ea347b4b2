//! Limits of the accept loop, and its certificate.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

/// `[http]`: limits of every listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// From the first byte of a request (or from the accept) to the end of its
    /// header. Default 5: a slow-header client holds a descriptor no longer.
    pub header_secs: u64,
    /// From the header's end to the body's end. Default 10.
    pub body_secs: u64,
    /// How long a kept-alive connection may idle between requests. Default 120. When
    /// connections run short, those that have been idle longest are closed before.
    pub idle_secs: u64,
    /// How long a client may take no byte of an answer while bytes wait for it; then the
    /// connection is reset. Default 15: a phone in a tunnel or a lift comes back within it,
    /// and a client that never reads holds an answer's memory no longer. A slow client that
    /// takes some bytes lives, and so does a stream with nothing to send.
    pub write_stall_secs: u64,
    /// Bytes of answers that the kernel holds unsent for each HTTP connection. Default 32768:
    /// 1,000 clients that never read cost 32 MiB instead of several GiB, and a slow client
    /// makes room often enough to be told from one that takes nothing (it must take half of
    /// this within `write_stall_secs`). What is under way to a client is not bounded by it.
    pub unsent_bytes_max: u32,
    /// Largest header block in bytes; more is 431. Default 16384 (8192 is the least).
    pub header_bytes_max: usize,
    /// Open connections of all listeners, long ones included; beyond, a new one
    /// gets 503 with `Retry-After` and is closed. Default 18000: a process may
    /// have 20,000 descriptors, and some are needed for files and servers.
    pub connections_max: usize,
    /// Open connections from one address (an IPv6 /64); beyond, a new one gets 429 and is
    /// closed. Default 500: an office behind one address watches, and one machine cannot take
    /// every place.
    pub address_connections_max: usize,
    /// What an IPv6 /48 may have, as a multiple of what a /64 may: connections, and each of
    /// `http.limits`. Default 16: one customer of a hosting company has 65,536 networks of /64.
    pub ipv6_site_factor: u32,
    /// Networks whose addresses have no limit of connections and of `http.limits`. Default
    /// loopback: load tests and local tools. Trusted proxies have none either; a client
    /// behind one has the limits of its own address, except that of connections.
    pub unlimited_networks: Vec<IpNet>,
    /// What one address may ask for.
    pub limits: AddressLimitsConfig,
    /// Proxies whose `X-Forwarded-For` is believed; the right-most address outside
    /// of these networks is the client. Default: none.
    pub trusted_proxies: Vec<IpNet>,
    /// Origins of pages on other hosts that may connect, post and read
    /// (`https://live.example`); `*` allows all. Default: none, which leaves the
    /// pages of the server's own host, and callers that are no browsers.
    pub allowed_origins: Vec<String>,
    /// Host names that clients reach this server by (`live.example`), besides `localhost`, IP
    /// addresses and the hosts of `allowed_origins`. A request for another host is refused.
    /// Default none: then a server that listens on loopback alone and trusts no proxy takes
    /// no other host (a page of any site can point its own name at 127.0.0.1 and would read
    /// as the server's own), and any other server takes every host.
    pub hosts: Vec<String>,
    /// How long browsers remember that this host speaks TLS alone (Strict-Transport-Security),
    /// sent when the public listeners speak TLS. Default 15552000, which is 180 days; 0 sends
    /// nothing.
    pub hsts_secs: u64,
    /// Origins of pages that may show the page of entry in a frame, as `https://live.example`
    /// or `https://*.live.example`. They are listed in the page's `frame-ancestors`. Default:
    /// none, which leaves pages of the server's own origin.
    pub frame_ancestors: Vec<String>,
    /// The public listeners speak TLS with this chain of certificates (PEM). Default: none,
    /// for behind a proxy that speaks it. What renews the files need not restart anything:
    /// they are looked at every minute.
    pub tls_cert_file: Option<PathBuf>,
    /// The key of the first of them (PEM).
    pub tls_key_file: Option<PathBuf>,
    /// After a shutdown, how long running requests may finish. Default 5.
    pub shutdown_secs: u64,
}

impl Default for HttpConfig {
    fn default() -> Self {
        HttpConfig {
            header_secs: 5,
            body_secs: 10,
            idle_secs: 120,
            write_stall_secs: 15,
            unsent_bytes_max: 32 * 1024,
            header_bytes_max: 16 * 1024,
            connections_max: 18_000,
            address_connections_max: 500,
            ipv6_site_factor: 16,
            unlimited_networks: loopback(),
            limits: AddressLimitsConfig::default(),
            trusted_proxies: Vec::new(),
            allowed_origins: Vec::new(),
            hosts: Vec::new(),
            hsts_secs: 15_552_000,
            frame_ancestors: Vec::new(),
            tls_cert_file: None,
            tls_key_file: None,
            shutdown_secs: 5,
        }
    }
}

fn loopback() -> Vec<IpNet> {
    let v4 = Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8);
    vec![IpNet::V4(v4), IpNet::V6(Ipv6Net::from(Ipv6Addr::LOCALHOST))]
}

/// `[http.limits]`: what one address (an IPv6 /64) may ask for. More is refused with 429, the
/// rule's name and the time to come back. Posts have limits of their own (`[uplink.limits]`),
/// and so has entry (`entry.address_per_s`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AddressLimitsConfig {
    /// Pages of history a second. Default 20: each reads the store, and a viewer asks for one
    /// when it joins.
    pub history_per_s: u32,
    /// Polls a second. Default 200: a viewer without a stream asks about once a second, and an
    /// office shares an address.
    pub poll_per_s: u32,
    /// Guest tokens a second. Default 5: a visitor needs one.
    pub guests_per_s: u32,
    /// Requests inside of tunnels a second: a tunnel with 16 costs 16. Those for history
    /// count as history, too. Default 100.
    pub tunnel_per_s: u32,
    /// Files of the page a second. Default 100: a visit needs some five.
    pub page_per_s: u32,
    /// Race resources and race reports a second. Default 200: a viewer asks for three.
    pub race_per_s: u32,
    /// Requests with a bad token a second, on any route. Default 5: beyond, the answer is 429
    /// instead of 401, also with a time to come back.
    pub bad_tokens_per_s: u32,
    /// Seconds' worth that each of those may save up. Default 10: a room full of people opens
    /// the page together.
    pub burst_secs: u32,
    /// Addresses that are counted. Default 100000, about 30 MB; at the bound the longest
    /// unused one is forgotten.
    pub addresses_max: usize,
}

impl Default for AddressLimitsConfig {
    fn default() -> Self {
        AddressLimitsConfig {
            history_per_s: 20,
            poll_per_s: 200,
            guests_per_s: 5,
            tunnel_per_s: 100,
            page_per_s: 100,
            race_per_s: 200,
            bad_tokens_per_s: 5,
            burst_secs: 10,
            addresses_max: 100_000,
        }
    }
}
