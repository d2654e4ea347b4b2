//! `[inbox]`: letters, groups and their tables.

use std::path::PathBuf;

use barrage_part::part;

use super::Config;
use crate::roles::Roles;

part! {
    /// Letters, groups and the inbox. Accepted letters are durable in lanes; the courier takes them into the
    /// tables, which are in PostgreSQL where `[postgres]` is set.
    @[derive(Eq)]
    pub(crate) struct InboxConfig {
        /// Whether letters and groups are on. Without it: on in `barrage up` in one process, and off elsewhere.
        /// Processes of one role need `true` at the uplinks, and a process `barrage courier`.
        @[serde(skip_serializing_if = "Option::is_none")]
        enabled: Option<bool> = None;
        /// SQLite file of the tables where `[postgres]` is not set; `inbox.sqlite` in `data_dir` without it.
        @[serde(skip_serializing_if = "Option::is_none")]
        file: Option<PathBuf> = None;
        /// Number of lanes on NATS; in one process there is one lane. A conversation is in one lane, so the number
        /// must not change while lanes hold letters.
        lanes: u16 = 4, between(1, 64);
        /// Events that one lane holds: those that the tables do not have yet, and those of
        /// `inbox.courier.keep_secs`. A full lane refuses letters as `inbox_behind`.
        lane_entries_max: u64 = 4_000_000, between(1_000, 1 << 40);
        /// Limits of letters and groups at an uplink.
        limits: barrage_uplink::InboxConfig = Default::default();
        /// The courier, which takes letters of the lanes into the tables.
        courier: barrage_courier::CourierConfig = Default::default();
    }
}

impl Config {
    /// Whether a process with these roles takes letters, carries them into the tables, or sends notifications.
    pub(crate) fn has_inbox(&self, roles: Roles) -> bool {
        // Media alone ask the tables what letters show.
        let of_media = roles == Roles::MEDIA && self.postgres.is_some();
        match self.inbox.enabled {
            Some(enabled) => enabled && (roles.uplink || roles.courier || roles.push || of_media),
            None => roles.is_whole() || roles.courier || roles.push || of_media,
        }
    }
}

impl Config {
    /// Whether `up` sends notifications: a service is configured, and letters are on.
    pub(crate) fn has_push(&self) -> bool {
        self.push.is_on() && self.has_inbox(Roles::ALL)
    }

    /// Whether a process with these roles takes part in live mail: gateways, couriers and push, where letters are on.
    pub(crate) fn has_mail(&self, roles: Roles) -> bool {
        let is_on = self.inbox.enabled.unwrap_or(roles.is_whole());
        let is_alone = roles == Roles::COURIER || roles == Roles::PUSH;
        is_on && (roles.gateway || roles.courier || roles.push) || is_alone && self.has_inbox(roles)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_on_in_one_process_and_where_the_configuration_says_so() {
        let mut config = Config::default();
        assert!(config.has_inbox(Roles::ALL) && config.has_inbox(Roles::COURIER));
        assert!(!config.has_inbox(Roles::UPLINK) && !config.has_inbox(Roles::GATEWAY));
        assert!(config.has_mail(Roles::ALL) && config.has_mail(Roles::COURIER));
        assert!(!config.has_mail(Roles::GATEWAY) && !config.has_mail(Roles::UPLINK));
        assert!(!config.has_inbox(Roles::MEDIA));
        config.postgres = Some(Default::default());
        assert!(config.has_inbox(Roles::MEDIA), "the collection asks what letters show");
        config.inbox.enabled = Some(true);
        assert!(config.has_mail(Roles::GATEWAY) && !config.has_mail(Roles::ARCHIVER));
        assert!(config.has_inbox(Roles::UPLINK) && !config.has_inbox(Roles::GATEWAY));
        config.inbox.enabled = Some(false);
        assert!(!config.has_inbox(Roles::ALL) && !config.has_inbox(Roles::COURIER));
        assert!(!config.has_inbox(Roles::MEDIA));
        assert!(!config.has_mail(Roles::ALL) && !config.has_mail(Roles::COURIER));
    }
}
