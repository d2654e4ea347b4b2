//! Resolves names, and keeps permitted addresses alone.

use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::address::Reachable;

/// Why a name or address is not asked.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// No address of the name is permitted.
    #[error("the address is not permitted; {setting} permits private networks")]
    Refused {
        /// Key of the configuration that permits networks.
        setting: &'static str,
    },
    /// The name has no address, or no server of names answers.
    #[error("the name cannot be resolved: {0}")]
    Unresolved(#[source] std::io::Error),
}

/// Resolves names to permitted addresses, also for `reqwest`, which asks it for each connection.
#[derive(Debug, Clone)]
pub struct GuardedResolver {
    reachable: Reachable,
    setting: &'static str,
}

impl GuardedResolver {
    /// Creates a resolver. `setting` is the key of the configuration that permits networks, for errors.
    #[must_use]
    pub const fn new(reachable: Reachable, setting: &'static str) -> Self {
        GuardedResolver { reachable, setting }
    }

    /// Returns the permitted addresses of a host, which is a name or an address in text; at least one.
    ///
    /// # Errors
    /// When the host has no address, or none that is permitted.
    pub async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, AddressError> {
        if let Some(address) = literal(host) {
            return self.permitted([SocketAddr::new(address, port)]);
        }
        let found = tokio::net::lookup_host((host, port)).await.map_err(AddressError::Unresolved)?;
        self.permitted(found)
    }

    /// Checks the host of a URL that is an address already: a client connects to it without asking a resolver.
    ///
    /// # Errors
    /// When the host is an address that is not permitted.
    pub fn check_literal(&self, host: &str) -> Result<(), AddressError> {
        match literal(host) {
            Some(address) if !self.reachable.permits(address) => {
                Err(AddressError::Refused { setting: self.setting })
            }
            _ => Ok(()),
        }
    }

    fn permitted(
        &self,
        found: impl IntoIterator<Item = SocketAddr>,
    ) -> Result<Vec<SocketAddr>, AddressError> {
        let permitted: Vec<_> =
            found.into_iter().filter(|address| self.reachable.permits(address.ip())).collect();
        if permitted.is_empty() {
            Err(AddressError::Refused { setting: self.setting })
        } else {
            Ok(permitted)
        }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let permitted = resolver.addresses(name.as_str(), 0).await?;
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

/// Returns the address that a host of a URL has in place of a name.
#[must_use]
pub fn literal(host: &str) -> Option<IpAddr> {
    host.trim_matches(['[', ']']).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Encryption;

    #[tokio::test]
    async fn names_and_addresses_of_this_machine_are_refused_unless_allowed() {
        let of = |allowed: &[&str]| {
            let allowed = allowed.iter().map(|network| network.parse().unwrap()).collect();
            GuardedResolver::new(Reachable { allowed, encryption: Encryption::Tls }, "x.allow_networks")
        };
        for host in ["localhost", "127.0.0.1", "[::1]", "169.254.169.254"] {
            let refused = of(&[]).addresses(host, 443).await.unwrap_err().to_string();
            assert!(refused.contains("x.allow_networks"), "{host}: {refused}");
        }
        assert!(of(&[]).check_literal("[::1]").is_err() && of(&[]).check_literal("localhost").is_ok());
        let found = of(&["127.0.0.0/8"]).addresses("127.0.0.1", 443).await.unwrap();
        assert_eq!(found, ["127.0.0.1:443".parse().unwrap()]);
        assert_eq!(of(&[]).addresses("8.8.8.8", 1).await.unwrap().len(), 1);
    }
}
