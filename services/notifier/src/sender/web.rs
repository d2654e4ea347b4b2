//! Web Push: RFC 8030, RFC 8291 and RFC 8292.

use std::collections::HashMap;

use async_trait::async_trait;
use barrage_outbound::{Encryption, GuardedResolver, Reachable};
use barrage_push::{
    EncryptError, Note, NoteKind, VapidKey, Verdict, WebSubscription, encrypt, of_web, web_text,
};
use barrage_store::{DeviceRecord, PushService};
use barrage_tls::ClientTls;
use parking_lot::Mutex;

use super::contract::{Sender, read_file, refused};
use crate::config::PushConfig;
use crate::error::NotifierError;
use crate::exchange::{Answer, GuardedNames, Names, Origins, Outgoing};

/// Time in seconds for which a signed statement is used again. It is valid for twelve hours.
const SIGNED_SECS: u64 = 6 * 3_600;
/// Hosts whose statements are kept; beyond, all are signed anew.
const SIGNED_MAX: usize = 1_024;

/// Sends encrypted notifications to browsers (RFC 8030, 8291, 8292).
pub(super) struct WebSender {
    key: VapidKey,
    origins: Origins,
    ttl_secs: u64,
    /// Statements by host, with the Unix time in seconds at which each was signed.
    signed: Mutex<HashMap<String, (u64, String)>>,
}

impl WebSender {
    pub(super) fn new(config: &PushConfig, tls: &ClientTls) -> Result<Self, NotifierError> {
        let setting = "push.vapid_key_file";
        let file = config.vapid_key_file.as_ref();
        let file = file.ok_or_else(|| NotifierError::Config(format!("{setting}: Web Push needs a key")))?;
        let key = VapidKey::from_pem(&read_file(file, setting)?, &config.contact);
        let key = key.map_err(|source| NotifierError::Key { setting, source })?;
        let reachable = Reachable { allowed: config.allow_networks.clone(), encryption: Encryption::Tls };
        let resolver = GuardedResolver::new(reachable, "push.allow_networks");
        let names = Names::Guarded(GuardedNames::new(resolver));
        let origins = Origins::new(names, tls, config.bounds());
        Ok(WebSender { key, origins, ttl_secs: config.ttl_secs, signed: Mutex::default() })
    }

    fn authorization(&self, to: &WebSubscription, now_secs: u64) -> Result<String, Verdict> {
        let mut signed = self.signed.lock();
        if let Some((at, value)) = signed.get(to.origin())
            && (*at..*at + SIGNED_SECS).contains(&now_secs)
        {
            return Ok(value.clone());
        }
        let value = self.key.authorization(to, now_secs);
        let value = value.map_err(|error| Verdict::Misconfigured(error.to_string()))?;
        if signed.len() >= SIGNED_MAX {
            signed.clear();
        }
        signed.insert(to.origin().to_owned(), (now_secs, value.clone()));
        Ok(value)
    }
}

#[async_trait]
impl Sender for WebSender {
    fn service(&self) -> PushService {
        PushService { name: "web".into(), public_key: Some(self.key.public()) }
    }

    fn origins(&self) -> &Origins {
        &self.origins
    }

    fn is_own(&self) -> bool {
        false
    }

    async fn request(&self, device: &DeviceRecord, note: &Note, now_secs: u64) -> Result<Outgoing, Verdict> {
        // What the tables have is the endpoint and the object of keys.
        let keys = device.keys.as_deref().unwrap_or("null");
        let endpoint = serde_json::Value::from(device.address.as_str());
        let subscription = WebSubscription::parse(&format!("{{\"endpoint\":{endpoint},\"keys\":{keys}}}"));
        let subscription = subscription.map_err(|_| Verdict::Gone { since_ms: None })?;
        let text = web_text(note).ok_or_else(|| refused("the ids alone are too long"))?;
        let body = encrypt(&subscription, text.as_bytes()).map_err(|error| match error {
            EncryptError::Key => Verdict::Gone { since_ms: None },
            other => Verdict::Refused(other.to_string()),
        })?;
        let urgency = match note.kind {
            NoteKind::Letter | NoteKind::Mention => "high",
            NoteKind::Live => "normal",
        };
        let headers = vec![
            ("authorization", self.authorization(&subscription, now_secs)?),
            ("content-encoding", "aes128gcm".to_owned()),
            ("content-type", "application/octet-stream".to_owned()),
            ("ttl", self.ttl_secs.to_string()),
            ("urgency", urgency.to_owned()),
            ("topic", note.collapse.clone()),
        ];
        let url = subscription.endpoint().parse().map_err(|_| Verdict::Gone { since_ms: None })?;
        Ok(Outgoing { url, headers, body: body.into() })
    }

    fn read(&self, answer: &Answer) -> Verdict {
        of_web(answer.status, answer.retry_after_secs())
    }
}
