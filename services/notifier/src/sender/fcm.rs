//! Google's service: FCM HTTP v1.

use async_trait::async_trait;
use barrage_push::{AccessToken, FcmAccount, Note, Verdict, fcm_badge, fcm_message, of_fcm};
use barrage_store::{DeviceRecord, PushService};
use tokio::sync::Mutex;

use super::contract::{Sender, read_file, refused};
use crate::config::FcmConfig;
use crate::error::NotifierError;
use crate::exchange::{Answer, Origins, Outgoing};

/// Sends to apps on Android.
pub(super) struct FcmSender {
    account: FcmAccount,
    origins: Origins,
    url: String,
    ttl_secs: u64,
    /// Access token in force. All requests wait while one of them fetches another.
    access: Mutex<Option<AccessToken>>,
}

impl FcmSender {
    pub(super) fn new(config: &FcmConfig, ttl_secs: u64, origins: Origins) -> Result<Self, NotifierError> {
        let text = read_file(&config.account_file, "push.fcm.account_file")?;
        let account = FcmAccount::from_json(&text).map_err(NotifierError::Account)?;
        let url = config.url.trim_end_matches('/');
        let url = format!("{url}/v1/projects/{}/messages:send", account.project());
        Ok(FcmSender { account, origins, url, ttl_secs, access: Mutex::new(None) })
    }

    /// Returns the access token in force, or fetches one.
    async fn authorization(&self, now_secs: u64) -> Result<String, Verdict> {
        let mut access = self.access.lock().await;
        if let Some(token) = access.as_ref().filter(|token| now_secs < token.renew_at_secs) {
            return Ok(token.authorization.clone());
        }
        let wrong = |text: String| Verdict::Misconfigured(format!("the access token of FCM: {text}"));
        let form = self.account.exchange(now_secs).map_err(|error| wrong(error.to_string()))?;
        let url = self.account.token_uri().parse().map_err(|_| wrong("token_uri is no URL".to_owned()))?;
        let headers = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
        let sent = self.origins.send(&Outgoing { url, headers, body: form.into() }).await;
        let answer = sent.map_err(|_| Verdict::Later { after: None })?;
        if answer.status >= 500 || answer.status == 429 {
            return Err(Verdict::Later { after: answer.retry_after });
        }
        let token = AccessToken::from_answer(&answer.text(), now_secs);
        let token = token.ok_or_else(|| wrong(format!("the exchange answered {}", answer.status)))?;
        Ok(access.insert(token).authorization.clone())
    }

    async fn outgoing(&self, body: String, now_secs: u64) -> Result<Outgoing, Verdict> {
        let headers = vec![
            ("authorization", self.authorization(now_secs).await?),
            ("content-type", "application/json".to_owned()),
        ];
        let url = self.url.parse().map_err(|_| Verdict::Misconfigured("push.fcm.url".into()))?;
        Ok(Outgoing { url, headers, body: body.into() })
    }
}

#[async_trait]
impl Sender for FcmSender {
    fn service(&self) -> PushService {
        PushService { name: "fcm".into(), public_key: None }
    }

    fn origins(&self) -> &Origins {
        &self.origins
    }

    async fn request(&self, device: &DeviceRecord, note: &Note, now_secs: u64) -> Result<Outgoing, Verdict> {
        let body = fcm_message(&device.address, note, self.ttl_secs);
        let body = body.ok_or_else(|| refused("token and ids alone are too long"))?;
        self.outgoing(body, now_secs).await
    }

    async fn badge(
        &self,
        device: &DeviceRecord,
        badge: u32,
        now_secs: u64,
    ) -> Option<Result<Outgoing, Verdict>> {
        Some(self.outgoing(fcm_badge(&device.address, badge, self.ttl_secs), now_secs).await)
    }

    fn read(&self, answer: &Answer) -> Verdict {
        if answer.status == 401
            && let Ok(mut access) = self.access.try_lock()
        {
            // The service may have withdrawn the token before its end: the next request fetches another.
            *access = None;
        }
        of_fcm(answer.status, &answer.text(), answer.retry_after_secs())
    }
}
