//! HTTP clients that look a host up in the book before they ask DNS.
//!
//! The resolver answers from the book. A layer around the connector notices whether the connection
//! succeeded, TLS included, and has the book pass over addresses that failed: the next attempt then
//! uses another address, and at last DNS.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::time::Instant;
use tower_layer::Layer;
use tower_service::Service;

use super::book::Book;

/// Age from which an abandoned connect counts as a failure of its addresses.
const SLOW: Duration = Duration::from_secs(1);

tokio::task_local! {
    /// Addresses that the resolver returned for the connect of this task.
    static GIVEN: Arc<Mutex<Vec<(String, IpAddr)>>>;
}

/// Returns a builder of clients that use the book.
pub(crate) fn builder(book: &Book) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .dns_resolver(Arc::new(BookResolver(book.clone())))
        .connector_layer(OutcomeLayer(book.clone()))
}

/// Resolver that returns the addresses of the book, or else those of DNS.
struct BookResolver(Book);

impl Resolve for BookResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let known = self.0.candidates(name.as_str(), Instant::now());
        if known.is_empty() {
            return Box::pin(async move {
                let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
                Ok(Box::new(found.into_iter()) as Addrs)
            });
        }
        // Outside of a connect nobody reports the outcome, and the addresses stay as they are.
        let given = GIVEN.try_with(Arc::clone).ok();
        given.into_iter().for_each(|given| {
            given.lock().extend(known.iter().map(|ip| (name.as_str().to_owned(), *ip)));
        });
        let known = known.into_iter().map(|ip| SocketAddr::new(ip, 0));
        Box::pin(std::future::ready(Ok(Box::new(known) as Addrs)))
    }
}

/// Layer that reports the outcome of each connect to the book.
#[derive(Debug, Clone)]
struct OutcomeLayer(Book);

impl<S> Layer<S> for OutcomeLayer {
    type Service = Outcome<S>;

    fn layer(&self, connector: S) -> Outcome<S> {
        Outcome { connector, book: self.0.clone() }
    }
}

/// Connector that reports the outcome of each connect to the book.
#[derive(Debug, Clone)]
struct Outcome<S> {
    connector: S,
    book: Book,
}

impl<S, Request> Service<Request> for Outcome<S>
where
    S: Service<Request>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.connector.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let connecting = self.connector.call(request);
        let attempt = Attempt {
            book: self.book.clone(),
            given: Arc::default(),
            began: Instant::now(),
            state: State::Open,
        };
        Box::pin(async move {
            let connected = GIVEN.scope(Arc::clone(&attempt.given), connecting).await;
            attempt.end(if connected.is_ok() { State::Connected } else { State::Failed });
            connected
        })
    }
}

/// One connect. When it ends without a connection, its addresses have failed.
struct Attempt {
    book: Book,
    given: Arc<Mutex<Vec<(String, IpAddr)>>>,
    began: Instant,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not ended. An attempt that is dropped in this state was abandoned, as by a timeout.
    Open,
    Connected,
    Failed,
}

impl Attempt {
    /// Ends the attempt, which reports a failure to the book.
    fn end(mut self, state: State) {
        self.state = state;
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let has_failed = match self.state {
            State::Connected => false,
            State::Failed => true,
            State::Open => self.began.elapsed() >= SLOW,
        };
        if has_failed {
            for (host, ip) in self.given.lock().drain(..) {
                self.book.failed(&host, ip, Instant::now());
            }
        }
    }
}
