//! Services of vendors, by a template of their requests.

use std::path::PathBuf;

use async_trait::async_trait;
use barrage_push::{Note, VendorTemplate, Verdict, of_vendor};
use barrage_store::{DeviceRecord, PushService};

use super::contract::{Sender, refused};
use crate::config::VendorConfig;
use crate::error::NotifierError;
use crate::exchange::{Answer, Origins, Outgoing};

/// Sends to apps on devices of one vendor.
pub(super) struct VendorSender {
    name: String,
    url: http::Uri,
    template: VendorTemplate,
    authorization_file: PathBuf,
    gone: Vec<u16>,
    origins: Origins,
}

impl VendorSender {
    pub(super) fn new(config: &VendorConfig, origins: Origins) -> Result<Self, NotifierError> {
        let wrong = |what: &str| NotifierError::Config(format!("vendor {}: {what}", config.name));
        Ok(VendorSender {
            name: config.name.clone(),
            url: config.url.parse().map_err(|_| wrong("url"))?,
            template: VendorTemplate::parse(&config.template, config.bytes_max)
                .ok_or_else(|| wrong("template"))?,
            authorization_file: config.authorization_file.clone(),
            gone: config.gone_statuses.clone(),
            origins,
        })
    }
}

#[async_trait]
impl Sender for VendorSender {
    fn service(&self) -> PushService {
        PushService { name: self.name.clone(), public_key: None }
    }

    fn origins(&self) -> &Origins {
        &self.origins
    }

    async fn request(&self, device: &DeviceRecord, note: &Note, _: u64) -> Result<Outgoing, Verdict> {
        let body = self.template.fill(&device.address, note);
        let body = body.ok_or_else(|| refused("token and ids alone are too long"))?;
        let authorization = tokio::fs::read_to_string(&self.authorization_file).await.map_err(|error| {
            Verdict::Misconfigured(format!("{}: {error}", self.authorization_file.display()))
        })?;
        let headers = vec![
            ("authorization", authorization.trim().to_owned()),
            ("content-type", "application/json".to_owned()),
        ];
        Ok(Outgoing { url: self.url.clone(), headers, body: body.into() })
    }

    fn read(&self, answer: &Answer) -> Verdict {
        of_vendor(answer.status, &self.gone, answer.retry_after_secs())
    }
}
