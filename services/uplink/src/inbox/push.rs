//! Notifications: a user's devices and settings, whom it follows, and hosts who go live.

use barrage_protocol::code::Refusal;
use barrage_protocol::inbox::{
    DeviceAnswer, DeviceOutcome, DeviceRemoved, DeviceRequest, DeviceView, DevicesAnswer, FollowAnswer,
    FollowsPage, LiveAnswer, LiveRequest, NotificationSettings, PushKeyAnswer,
};
use barrage_protocol::{Code, UserId};
use barrage_push::{WebSubscription, check_settings};
use barrage_store::{Campaign, FOLLOWS_PER_USER_MAX, NewCampaign, NewDevice, Registered};

use super::control::InboxControl;
use super::refusals::{malformed, unreadable};
use crate::text::CleanText;

/// Longest token of a service, in bytes. Those in use have some 200.
const TOKEN_BYTES_MAX: usize = 4_096;
/// Longest id of a device or stream, in bytes.
const ID_BYTES_MAX: usize = 64;
/// Longest title of a stream, in characters.
const TITLE_CHARS_MAX: usize = 200;

impl InboxControl {
    /// Returns the services that notifications are sent to, and the key that browsers need.
    pub(crate) async fn push_key(&self) -> Result<PushKeyAnswer, Refusal> {
        let services = self.services.get().await?;
        Ok(PushKeyAnswer {
            services: services.iter().map(|service| service.name.clone()).collect(),
            key: services.iter().find(|service| service.name == "web").and_then(|it| it.public_key.clone()),
        })
    }

    /// Registers a device of the user, or renews its registration.
    pub(crate) async fn register_device(
        &self,
        user: &UserId,
        device: &str,
        request: &DeviceRequest,
    ) -> Result<DeviceAnswer, Refusal> {
        check_id(device, "device")?;
        let (service, address, keys) = address(request)?;
        let known = self.services.get().await?;
        if !known.iter().any(|known| known.name == service) {
            let names: Vec<_> = known.iter().map(|known| known.name.as_str()).collect();
            let text = match &names[..] {
                [] => "this server sends no notifications".to_owned(),
                names => format!("this server sends notifications to {} alone", names.join(", ")),
            };
            return Err(Refusal::new(Code::Forbidden, text));
        }
        let at_ms = barrage_clock::unix_ms();
        let new = NewDevice { device: device.to_owned(), service, address, keys, at_ms };
        let registered = self.store.register_device(user, &new).await.map_err(|error| unreadable(&error))?;
        let outcome = match registered {
            Registered::New => DeviceOutcome::Registered,
            Registered::Again => DeviceOutcome::Renewed,
        };
        Ok(DeviceAnswer { device: new.device, outcome })
    }

    /// Removes a device of the user.
    pub(crate) async fn remove_device(&self, user: &UserId, device: &str) -> Result<DeviceRemoved, Refusal> {
        check_id(device, "device")?;
        let removed = self.store.delete_device(user, device).await.map_err(|error| unreadable(&error))?;
        Ok(DeviceRemoved { device: device.to_owned(), removed })
    }

    /// Lists the devices of the user.
    pub(crate) async fn devices(&self, user: &UserId) -> Result<DevicesAnswer, Refusal> {
        let devices = self.store.devices(user).await.map_err(|error| unreadable(&error))?;
        let devices = devices.into_iter().map(|device| DeviceView {
            device: device.device,
            platform: device.service,
            registered_at_ms: device.registered_at_ms,
        });
        Ok(DevicesAnswer { devices: devices.collect() })
    }

    /// Returns the user's settings for notifications.
    pub(crate) async fn notification_settings(&self, user: &UserId) -> Result<NotificationSettings, Refusal> {
        let text = self.store.notification_settings(user).await.map_err(|error| unreadable(&error))?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    /// Replaces the user's settings for notifications.
    pub(crate) async fn set_notification_settings(
        &self,
        user: &UserId,
        settings: NotificationSettings,
    ) -> Result<NotificationSettings, Refusal> {
        check_settings(&settings).map_err(|error| malformed(error.to_string()))?;
        let text = serde_json::to_string(&settings).expect("settings are plain data");
        let set = self.store.set_notification_settings(user, &text).await;
        set.map_err(|error| unreadable(&error))?;
        Ok(settings)
    }

    /// Lets the user follow a host.
    pub(crate) async fn follow(&self, user: &UserId, host: &UserId) -> Result<FollowAnswer, Refusal> {
        if user == host {
            return Err(malformed("a user cannot follow itself"));
        }
        let followed = self.store.follow(user, host, barrage_clock::unix_ms()).await;
        if !followed.map_err(|error| unreadable(&error))? {
            let text = format!("you follow {FOLLOWS_PER_USER_MAX} hosts, as many as a user may follow");
            return Err(Refusal::new(Code::Forbidden, text));
        }
        Ok(FollowAnswer { host: host.clone(), follows: true })
    }

    /// Ends that the user follows a host.
    pub(crate) async fn unfollow(&self, user: &UserId, host: &UserId) -> Result<FollowAnswer, Refusal> {
        self.store.unfollow(user, host).await.map_err(|error| unreadable(&error))?;
        Ok(FollowAnswer { host: host.clone(), follows: false })
    }

    /// Lists the hosts whom the user follows, by their ids.
    pub(crate) async fn follows(
        &self,
        user: &UserId,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<FollowsPage, Refusal> {
        let mut hosts =
            self.store.follows(user, after, limit + 1).await.map_err(|error| unreadable(&error))?;
        let more = hosts.len() > limit;
        hosts.truncate(limit);
        Ok(FollowsPage { next_after: hosts.last().filter(|_| more).cloned(), hosts })
    }

    /// Begins to tell the followers of a host that it is live. The same stream again only shows how far that has come.
    pub(crate) async fn go_live(&self, host: &UserId, request: &LiveRequest) -> Result<LiveAnswer, Refusal> {
        check_id(&request.stream, "stream")?;
        let title = match request.title.as_str() {
            "" => String::new(),
            title => CleanText::new(title, TITLE_CHARS_MAX)
                .map_err(|error| Refusal::new(Code::BadText, format!("title: {error}")))?
                .into_string(),
        };
        let campaign = NewCampaign {
            id: request.stream.clone(),
            host: host.clone(),
            room: request.room.to_string(),
            title,
            at_ms: barrage_clock::unix_ms(),
        };
        let Campaign { about, followers, told, ended_at_ms, .. } =
            self.store.start_campaign(&campaign).await.map_err(|error| unreadable(&error))?;
        if about.host != *host {
            return Err(Refusal::new(Code::Conflict, "this stream is one of another host; choose a new id"));
        }
        Ok(LiveAnswer { stream: about.id, host: about.host, followers, told, ended: ended_at_ms.is_some() })
    }
}

fn check_id(id: &str, name: &str) -> Result<(), Refusal> {
    let is_id = (1..=ID_BYTES_MAX).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if is_id { Ok(()) } else { Err(malformed(format!("{name}: 1 to {ID_BYTES_MAX} of A-Z a-z 0-9 _ -"))) }
}

/// Returns service, address and keys of a device.
fn address(request: &DeviceRequest) -> Result<(String, String, Option<String>), Refusal> {
    let token = |service: &str, token: &str| {
        let is_token =
            (1..=TOKEN_BYTES_MAX).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
        let refused = || malformed(format!("token: 1 to {TOKEN_BYTES_MAX} printable ASCII characters"));
        is_token.then(|| (service.to_owned(), token.to_owned(), None)).ok_or_else(refused)
    };
    match request {
        DeviceRequest::Web { subscription } => {
            let text = serde_json::to_string(subscription).expect("a subscription is plain data");
            WebSubscription::parse(&text).map_err(|error| malformed(format!("subscription: {error}")))?;
            let keys = serde_json::to_string(&subscription.keys).expect("keys are plain data");
            Ok(("web".into(), subscription.endpoint.clone(), Some(keys)))
        }
        DeviceRequest::Apns { token: text } if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Err(malformed("token: hexadecimal digits"))
        }
        DeviceRequest::Apns { token: text } => token("apns", text),
        DeviceRequest::Fcm { token: text } => token("fcm", text),
        DeviceRequest::Vendor { vendor, .. } if ["web", "apns", "fcm"].contains(&vendor.as_str()) => {
            Err(malformed("vendor: a service of the platform vendor"))
        }
        DeviceRequest::Vendor { vendor, token: text } => token(vendor, text),
    }
}

#[cfg(test)]
mod tests {
    use barrage_protocol::inbox::{PushKeys, PushSubscription};

    use super::*;

    #[test]
    fn ids_and_tokens_of_another_form_are_refused() {
        for bad in ["", "a b", "a/b", "\u{fc}", &"x".repeat(65)] {
            assert!(check_id(bad, "device").is_err(), "{bad}");
        }
        assert!(check_id("phone_1-A", "device").is_ok());
        let apns = |token: &str| address(&DeviceRequest::Apns { token: token.into() });
        let fcm = |token: &str| address(&DeviceRequest::Fcm { token: token.into() });
        for bad in ["", "a\nb", "a b", &"a".repeat(TOKEN_BYTES_MAX + 1)] {
            assert!(apns(bad).is_err() && fcm(bad).is_err(), "{bad:.20}");
        }
        assert!(apns("xyz").is_err());
        assert_eq!(apns("0aF").unwrap(), ("apns".into(), "0aF".into(), None));
        assert_eq!(fcm("x:y-z").unwrap().0, "fcm");
        let vendor = |vendor: &str| DeviceRequest::Vendor { vendor: vendor.into(), token: "t".into() };
        assert_eq!(address(&vendor("huawei")).unwrap().0, "huawei");
        assert!(address(&vendor("web")).is_err(), "its address would be asked as one of a browser");
    }

    #[test]
    fn subscription_is_kept_by_endpoint_and_keys() {
        let keys = PushKeys {
            p256dh: "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
                .into(),
            auth: "BTBZMqHH6r4Tts7J_aSIgg".into(),
        };
        let web = |endpoint: &str| {
            let subscription = PushSubscription { endpoint: endpoint.into(), keys: keys.clone() };
            address(&DeviceRequest::Web { subscription })
        };
        let (service, endpoint, kept) = web("https://push.example/x").unwrap();
        assert_eq!((service.as_str(), endpoint.as_str()), ("web", "https://push.example/x"));
        let parsed = format!(r#"{{"endpoint":"{endpoint}","keys":{}}}"#, kept.unwrap());
        assert_eq!(WebSubscription::parse(&parsed).unwrap().origin(), "https://push.example");
        assert!(web("http://push.example/x").is_err());
    }
}
