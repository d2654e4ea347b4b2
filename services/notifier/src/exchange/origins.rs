//! The hosts of one service.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use barrage_outbound::{AddressError, GuardedResolver};
use barrage_tls::ClientTls;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::link;
use super::origin::{Bounds, Origin, SendError};
use super::request::{Answer, Outgoing};

/// Hosts that have a connection. Of more, the one that was asked longest ago is closed: strangers name the hosts of Web
/// Push.
const ORIGINS_MAX: usize = 256;

/// Names of strangers that are resolved at the same time.
const LOOKUPS_MAX: usize = 32;

/// Whose addresses may be asked.
#[derive(Debug, Clone)]
pub(crate) enum Names {
    /// The host is one of the configuration.
    Own,
    /// The host is one that a stranger named.
    Guarded(GuardedNames),
}

/// Resolves names of strangers, a bounded number at the same time: a look-up keeps its thread for as long as their servers
/// of names like.
#[derive(Debug, Clone)]
pub(crate) struct GuardedNames {
    resolver: GuardedResolver,
    lookups: Arc<Semaphore>,
}

/// The hosts of a service, each with its one connection.
pub(crate) struct Origins {
    names: Names,
    tls: ClientTls,
    bounds: Bounds,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    origins: HashMap<String, (Arc<Origin>, u64)>,
    /// Grows with each request.
    turn: u64,
}

impl Names {
    pub(super) async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, AddressError> {
        match self {
            Names::Guarded(names) => names.addresses(host, port).await,
            Names::Own => {
                let host = host.trim_matches(['[', ']']);
                let found = tokio::net::lookup_host((host, port)).await;
                Ok(found.map_err(AddressError::Unresolved)?.collect())
            }
        }
    }
}

impl GuardedNames {
    pub(crate) fn new(resolver: GuardedResolver) -> Self {
        GuardedNames { resolver, lookups: Arc::new(Semaphore::new(LOOKUPS_MAX)) }
    }

    async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, AddressError> {
        let (resolver, host) = (self.resolver.clone(), host.to_owned());
        let place = Arc::clone(&self.lookups).acquire_owned().await;
        // The task, and its place, outlive a caller whose deadline is over.
        let looking = tokio::spawn(async move {
            let found = resolver.addresses(&host, port).await;
            drop(place);
            found
        });
        looking.await.unwrap_or_else(|error| Err(AddressError::Unresolved(std::io::Error::other(error))))
    }
}

impl Origins {
    pub(crate) fn new(names: Names, tls: &ClientTls, bounds: Bounds) -> Self {
        Origins { names, tls: link::offering(tls), bounds, state: Mutex::default() }
    }

    /// Sends a request to the host of its URL, which begins with `https://`.
    pub(crate) async fn send(&self, outgoing: &Outgoing) -> Result<Answer, SendError> {
        let origin = self.origin(outgoing)?;
        origin.send(outgoing, &self.names, &self.tls, &self.bounds).await
    }

    fn origin(&self, outgoing: &Outgoing) -> Result<Arc<Origin>, SendError> {
        let url = &outgoing.url;
        let (Some("https"), Some(host), Some(authority)) =
            (url.scheme_str(), url.host(), url.authority().map(http::uri::Authority::as_str))
        else {
            return Err(SendError::Failed("the URL does not begin with https:// and a host".into()));
        };
        let mut state = self.state.lock();
        state.turn += 1;
        let State { origins, turn } = &mut *state;
        if let Some((origin, last)) = origins.get_mut(authority) {
            *last = *turn;
            return Ok(Arc::clone(origin));
        }
        if origins.len() >= ORIGINS_MAX {
            let oldest = origins.iter().min_by_key(|(_, (_, last))| *last).map(|(name, _)| name.clone());
            oldest.and_then(|name| origins.remove(&name));
        }
        let origin = Arc::new(Origin::new(host.to_owned(), url.port_u16().unwrap_or(443), &self.bounds));
        origins.insert(authority.to_owned(), (Arc::clone(&origin), *turn));
        Ok(origin)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use barrage_flow::BreakerConfig;
    use bytes::Bytes;

    use super::*;

    #[test]
    fn hosts_are_bounded_and_the_oldest_goes() {
        let bounds =
            Bounds { deadline: Duration::from_secs(1), parallel_max: 1, breaker: BreakerConfig::default() };
        let origins = Origins::new(Names::Own, &ClientTls::system(), bounds);
        let ask = |host: usize| {
            let url = format!("https://h{host}.example/x").parse().unwrap();
            origins.origin(&Outgoing { url, headers: Vec::new(), body: Bytes::new() }).unwrap()
        };
        let first = ask(0);
        let second = ask(1);
        assert!(Arc::ptr_eq(&first, &ask(0)));
        for host in 2..=ORIGINS_MAX {
            ask(host);
        }
        assert!(Arc::ptr_eq(&first, &ask(0)), "it was asked again meanwhile");
        assert!(!Arc::ptr_eq(&second, &ask(1)));
        assert_eq!(origins.state.lock().origins.len(), ORIGINS_MAX);
        let plain = Outgoing { url: "http://a/".parse().unwrap(), headers: Vec::new(), body: Bytes::new() };
        assert!(origins.origin(&plain).is_err());
    }
}
