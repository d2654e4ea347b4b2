//! Senders: how each service takes a notification, and what its answers mean.

mod apns;
mod contract;
mod fcm;
mod vendor;
mod web;

use barrage_tls::ClientTls;

pub(crate) use self::contract::Sender;
use crate::config::PushConfig;
use crate::error::NotifierError;
use crate::exchange::{Names, Origins};

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
