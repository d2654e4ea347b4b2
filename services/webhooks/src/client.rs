//! Requests to one receiver: signed, bounded in time and bytes, and only to addresses that are permitted.

use std::time::Duration;

use barrage_clock::Clock;
use barrage_outbound::{Encryption, GuardedResolver, Reachable, retry_after};
use barrage_store::PendingDelivery;
use barrage_tls::ClientTls;
use futures_util::future::BoxFuture;
use reqwest::redirect::Policy;
use reqwest::{Client, Url};

use crate::config::WebhooksConfig;
use crate::outside::{Outside, Sent};
use crate::schedule::Outcome;
use crate::signature::Secrets;

/// What requests say they come from.
const AGENT: &str = concat!("Barrage-Webhooks/", env!("CARGO_PKG_VERSION"));

/// Client of one receiver.
#[derive(Debug)]
pub(crate) struct ReceiverClient {
    client: Client,
    url: Url,
    resolver: GuardedResolver,
    answer_bytes_max: usize,
}

impl ReceiverClient {
    pub(crate) fn new(url: Url, config: &WebhooksConfig, tls: &ClientTls) -> Result<Self, reqwest::Error> {
        let encryption = if url.scheme() == "https" { Encryption::Tls } else { Encryption::None };
        let reachable = Reachable { allowed: config.allow_networks.clone(), encryption };
        let resolver = GuardedResolver::new(reachable, "webhooks.allow_networks");
        let client = Client::builder()
            .tls_backend_preconfigured(tls.rustls())
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .http1_only()
            .user_agent(AGENT)
            .dns_resolver(resolver.clone())
            .timeout(Duration::from_millis(config.timeout_ms))
            .pool_max_idle_per_host(config.parallel_max)
            .build()?;
        Ok(ReceiverClient { client, url, resolver, answer_bytes_max: config.answer_bytes_max })
    }

    /// Sends one event. Its signature has the time of this attempt.
    async fn post(&self, delivery: &PendingDelivery, secrets: &Secrets) -> Sent {
        let unanswered = |error: String| Sent { outcome: Outcome::Unanswered, error: Some(error) };
        // The client connects to an address in the URL without asking the resolver.
        if let Some(host) = self.url.host_str()
            && let Err(refused) = self.resolver.check_literal(host)
        {
            return unanswered(refused.to_string());
        }
        let timestamp = barrage_clock::unix_ms() / 1_000;
        let request = self
            .client
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", &delivery.event)
            .header("webhook-timestamp", timestamp.to_string())
            .header("webhook-signature", secrets.sign(&delivery.event, timestamp, &delivery.body))
            .body(delivery.body.clone());
        match request.send().await {
            Ok(response) => self.answered(response).await,
            Err(error) => unanswered(chain(&error.without_url())),
        }
    }

    /// Reads a bounded part of the answer, so that the connection can be used again after a small one.
    async fn answered(&self, mut response: reqwest::Response) -> Sent {
        let status = response.status();
        let header = response.headers().get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = header.and_then(|value| retry_after(value, barrage_clock::wall()));
        let mut read = 0;
        while let Ok(Some(chunk)) = response.chunk().await {
            read += chunk.len();
            if read > self.answer_bytes_max {
                break;
            }
        }
        let error = (!status.is_success()).then(|| format!("the receiver answered {status}"));
        Sent { outcome: Outcome::Answered { status: status.as_u16(), retry_after }, error }
    }
}

impl Clock for ReceiverClient {
    fn unix_ms(&self) -> u64 {
        barrage_clock::unix_ms()
    }

    fn steady_ms(&self) -> u64 {
        barrage_clock::steady_ms()
    }
}

impl Outside for ReceiverClient {
    fn send<'a>(&'a self, delivery: &'a PendingDelivery, secrets: &'a Secrets) -> BoxFuture<'a, Sent> {
        Box::pin(self.post(delivery, secrets))
    }

    fn chance(&self) -> f64 {
        rand::random_range(0.0..1.0)
    }
}

/// Joins an error with its causes: the first one alone says little.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
