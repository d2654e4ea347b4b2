//! Senders: how each service takes a notification, and what its answers mean.

mod apns;
mod fcm;
mod vendor;
mod web;

use std::path::Path;

use async_trait::async_trait;
use barrage_push::{Note, Verdict};
use barrage_store::{DeviceRecord, PushService};
use barrage_tls::ClientTls;

use crate::config::PushConfig;
use crate::error::NotifierError;
use crate::exchange::{Answer, Names, Origins, Outgoing};

/// How one service takes notifications.
#[async_trait]
pub(crate) trait Sender: Send + Sync {
    /// Name and key, as clients see them.
    fn service(&self) -> PushService;

    /// The hosts of the service.
    fn origins(&self) -> &Origins;

    /// Whether the operator chose the hosts. What strangers' hosts answer must neither alert nor fill logs.
    fn is_own(&self) -> bool {
        true
    }

    /// Makes the request for a device; an error says what becomes of the notification without one.
    async fn request(&self, device: &DeviceRecord, note: &Note, now_secs: u64) -> Result<Outgoing, Verdict>;

    /// Makes the request that lowers the number at the app's symbol, without a sound or text. `None` where the service has
    /// no such request: there, the app does it when it is opened.
    async fn badge(
        &self,
        device: &DeviceRecord,
        badge: u32,
        now_secs: u64,
    ) -> Option<Result<Outgoing, Verdict>> {
        let _unused = (device, badge, now_secs);
        None
    }

    /// Reads the answer to a request.
    fn read(&self, answer: &Answer) -> Verdict;
}

/// Builds the senders of all services that are configured.
pub(crate) fn all(config: &PushConfig, tls: &ClientTls) -> Result<Vec<Box<dyn Sender>>, NotifierError> {
    let own = || Origins::new(Names::Own, tls, config.bounds());
    let mut senders: Vec<Box<dyn Sender>> = Vec::new();
    if !config.contact.is_empty() {
        senders.push(Box::new(web::WebSender::new(config, tls)?));
    }
    if let Some(apns) = &config.apns {
        senders.push(Box::new(apns::ApnsSender::new(apns, config.ttl_secs, own())?));
    }
    if let Some(fcm) = &config.fcm {
        senders.push(Box::new(fcm::FcmSender::new(fcm, config.ttl_secs, own())?));
    }
    for vendor in &config.vendors {
        senders.push(Box::new(vendor::VendorSender::new(vendor, own())?));
    }
    Ok(senders)
}

/// Reads a file with a key.
fn read_file(path: &Path, setting: &'static str) -> Result<String, NotifierError> {
    std::fs::read_to_string(path).map_err(|source| NotifierError::File {
        path: path.to_owned(),
        setting,
        source,
    })
}

/// A notification that no request can be made for.
fn refused(text: &str) -> Verdict {
    Verdict::Refused(text.to_owned())
}
