//! Bound listeners of a process, and the settings that follow from their addresses.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use barrage_http::HttpConfig;
use barrage_token::Role;
use tokio::net::TcpListener;

use super::announce::Announcement;
use crate::config::{self, Config};
use crate::ready::{ReadyFd, ReadyLine};
use crate::roles::Roles;

/// Longest time in microseconds that the bus of a gateway process gathers messages: a tenth of the
/// default batching window.
const GATEWAY_GATHER_US_MAX: u64 = 5_000;

/// Bound listeners with their addresses. Port 0 has become the chosen port.
pub(super) struct Listeners {
    pub(super) public: Vec<TcpListener>,
    pub(super) admin: Vec<TcpListener>,
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) admin_address: SocketAddr,
}

impl Listeners {
    /// Binds the admin address, and the public addresses when a role needs them.
    pub(super) fn bind(roles: Roles, config: &Config) -> anyhow::Result<Self> {
        let public = if roles.is_public() { bind(&config.listen)? } else { Vec::new() };
        let admin = bind(&[config.admin_listen])?;
        let addresses = local_addresses(&public)?;
        let admin_address = local_addresses(&admin)?[0];
        Ok(Listeners { public, admin, addresses, admin_address })
    }

    /// Fills in settings whose defaults depend on the addresses or the roles.
    pub(super) fn complete(&self, config: &mut Config, roles: Roles, demo: bool) -> anyhow::Result<()> {
        config.uplink.gift_role_min.get_or_insert(gift_role_min(&self.addresses, demo));
        config.accounts.enabled.get_or_insert(demo);
        fill_base_urls(config, roles)?;
        if !roles.entry {
            set_base_urls(config, &self.addresses)?;
        }
        if let Some(nats) = &mut config.nats {
            if roles == Roles::GATEWAY {
                nats.gather_us_max.get_or_insert(GATEWAY_GATHER_US_MAX);
            }
            // Of several host names, other machines can reach the last one.
            let host = config::reachable(self.admin_address).pop();
            nats.admin_url = nats.admin_url.take().or_else(|| host.map(|host| format!("http://{host}")));
        }
        Ok(())
    }

    /// Whether every public address is on loopback.
    pub(super) fn is_local(&self) -> bool {
        is_local(&self.addresses)
    }

    /// Prepares the report that the process is up.
    pub(super) fn announcement(&self, roles: Roles, config: &Config, ready: Option<ReadyFd>) -> Announcement {
        let scheme = scheme(&config.http);
        // A browser opens no `0.0.0.0`; the ready line has the addresses as they are.
        let hosts = self.addresses.iter().flat_map(|address| config::reachable(*address));
        let mut lines = vec!["Barrage is up.".to_owned()];
        lines.extend(hosts.map(|host| format!("  {:<7} {scheme}://{host}/", roles.label())));
        let admin = self.admin_address;
        lines.push(format!("  admin   http://{admin}/  (/console/, /metrics, /healthz, /readyz, /v1/admin)"));
        lines.extend(config.file.as_ref().map(|file| format!("  config  {}", file.display())));
        lines.push(format!("  data    {}", config.data_dir.display()));
        lines.push("  stop    Ctrl-C".into());
        let line = ReadyLine { public: self.addresses.clone(), admin, members: Vec::new() };
        Announcement { lines, ready, line }
    }
}

/// Returns the role that gifts with a price need when none is configured. On loopback and in the
/// demo no one pays, so viewers may post them.
fn gift_role_min(public: &[SocketAddr], demo: bool) -> Role {
    if demo || is_local(public) { Role::Viewer } else { Role::Admin }
}

fn is_local(addresses: &[SocketAddr]) -> bool {
    addresses.iter().all(|address| address.ip().is_loopback())
}

/// Replaces the placeholders of base URLs and addresses by the values in the environment of this process.
fn fill_base_urls(config: &mut Config, roles: Roles) -> anyhow::Result<()> {
    for (runs_here, key, urls) in [
        (roles.gateway, "gateway.base_urls", &mut config.gateway.base_urls),
        (roles.uplink, "uplink.base_urls", &mut config.uplink.base_urls),
        (roles.gateway, "gateway.addresses", &mut config.gateway.addresses),
        (roles.uplink, "uplink.addresses", &mut config.uplink.addresses),
    ] {
        for url in urls.iter_mut().filter(|_| runs_here) {
            *url = config::fill_placeholders(url, |name| std::env::var(name).ok())
                .map_err(|why| anyhow::anyhow!("{key}: {why}"))?;
        }
    }
    Ok(())
}

/// Sets the URLs by which clients reach a process without entry: those of its listeners, unless
/// URLs are configured.
fn set_base_urls(config: &mut Config, addresses: &[SocketAddr]) -> anyhow::Result<()> {
    let scheme = scheme(&config.http);
    for urls in [&mut config.gateway.base_urls, &mut config.uplink.base_urls] {
        if !urls.is_empty() {
            continue;
        }
        if addresses.iter().any(|address| address.ip().is_unspecified()) {
            bail!(
                "clients need a URL to reach this process by: set gateway.base_urls or uplink.base_urls, \
                 or listen on one address"
            );
        }
        *urls = addresses.iter().map(|address| format!("{scheme}://{address}")).collect();
    }
    Ok(())
}

/// Returns the URL scheme of the public listeners.
pub(super) fn scheme(http: &HttpConfig) -> &'static str {
    if http.tls_cert_file.is_some() { "https" } else { "http" }
}

fn bind(addresses: &[SocketAddr]) -> anyhow::Result<Vec<TcpListener>> {
    let bind = |address: &SocketAddr| {
        barrage_http::listen(*address).with_context(|| {
            format!("{address} cannot be listened on; is another barrage running? (--listen, --admin-listen)")
        })
    };
    addresses.iter().map(bind).collect()
}

fn local_addresses(listeners: &[TcpListener]) -> anyhow::Result<Vec<SocketAddr>> {
    listeners.iter().map(|listener| Ok(listener.local_addr()?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gifts_with_a_price_need_the_role_admin_unless_on_loopback_or_in_the_demo() {
        let local: SocketAddr = "127.0.0.1:8080".parse().unwrap();
        let public: SocketAddr = "0.0.0.0:8080".parse().unwrap();
        assert_eq!(gift_role_min(&[local], false), Role::Viewer);
        assert_eq!(gift_role_min(&[local, public], false), Role::Admin);
        assert_eq!(gift_role_min(&[public], true), Role::Viewer);
    }
}
