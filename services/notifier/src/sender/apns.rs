//! Apple's service: APNs over HTTP/2.

use async_trait::async_trait;
use barrage_push::{ApnsKey, ApnsRequest, Note, Verdict, of_apns};
use barrage_store::{DeviceRecord, PushService};
use parking_lot::Mutex;

use super::contract::{Sender, read_file, refused};
use crate::config::ApnsConfig;
use crate::error::NotifierError;
use crate::exchange::{Answer, Origins, Outgoing};

/// Sends to apps on devices of Apple.
pub(super) struct ApnsSender {
    key: Mutex<ApnsKey>,
    origins: Origins,
    url: String,
    topic: String,
    ttl_secs: u64,
}

impl ApnsSender {
    pub(super) fn new(config: &ApnsConfig, ttl_secs: u64, origins: Origins) -> Result<Self, NotifierError> {
        let setting = "push.apns.key_file";
        let text = read_file(&config.key_file, setting)?;
        let key = ApnsKey::from_pem(&text, &config.key_id, &config.team_id);
        let key = key.map_err(|source| NotifierError::Key { setting, source })?;
        Ok(ApnsSender {
            key: Mutex::new(key),
            origins,
            url: config.url.trim_end_matches('/').to_owned(),
            topic: config.topic.clone(),
            ttl_secs,
        })
    }

    fn outgoing(
        &self,
        device: &DeviceRecord,
        request: ApnsRequest,
        now_secs: u64,
    ) -> Result<Outgoing, Verdict> {
        let authorization = self.key.lock().authorization(now_secs);
        let authorization = authorization.map_err(|error| Verdict::Misconfigured(error.to_string()))?;
        let headers = vec![
            ("authorization", authorization),
            ("apns-topic", self.topic.clone()),
            ("apns-push-type", request.push_type.to_owned()),
            ("apns-priority", request.priority.to_string()),
            ("apns-collapse-id", request.collapse_id),
            ("apns-expiration", (now_secs + self.ttl_secs).to_string()),
            ("content-type", "application/json".to_owned()),
        ];
        let url = format!("{}/3/device/{}", self.url, device.address);
        let url = url.parse().map_err(|_| Verdict::Gone { since_ms: None })?;
        Ok(Outgoing { url, headers, body: request.payload.into() })
    }
}

#[async_trait]
impl Sender for ApnsSender {
    fn service(&self) -> PushService {
        PushService { name: "apns".into(), public_key: None }
    }

    fn origins(&self) -> &Origins {
        &self.origins
    }

    async fn request(&self, device: &DeviceRecord, note: &Note, now_secs: u64) -> Result<Outgoing, Verdict> {
        let request = ApnsRequest::alert(note).ok_or_else(|| refused("the ids alone are too long"))?;
        self.outgoing(device, request, now_secs)
    }

    async fn badge(
        &self,
        device: &DeviceRecord,
        badge: u32,
        now_secs: u64,
    ) -> Option<Result<Outgoing, Verdict>> {
        Some(self.outgoing(device, ApnsRequest::badge(badge), now_secs))
    }

    fn read(&self, answer: &Answer) -> Verdict {
        of_apns(answer.status, &answer.text(), answer.retry_after_secs())
    }
}
