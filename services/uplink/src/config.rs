//! Limits of an uplink.

use barrage_protocol::reaction::ReactionName;
use barrage_recorder::RecorderConfig;
use barrage_token::Role;

use crate::event_senders::EventSenderConfig;
use crate::gift_config::GiftConfig;
use crate::history_config::HistoryConfig;
use crate::limits_config::LimitsConfig;
use crate::polls_config::PollsConfig;
use crate::super_chat_config::{SuperChatConfig, SuperChatTiers, default_tiers};

/// Maximum number of reactions.
const REACTIONS_MAX: usize = 32;

barrage_part::part! {
    /// Limits of an uplink.
    @[derive(Eq)]
    pub struct UplinkConfig {
        /// Name in the registry.
        id: String = "uplink-1".into();
        /// Base URLs by which clients reach this uplink. Without any: the host that the client asked
        /// entry on, with the port of each listener. `{pod_name}`, `{pod_ip}`, `{pod_ip_dashed}`,
        /// `{node_ip}` and `{node_name}` become the values of POD_NAME, POD_IP, NODE_IP and NODE_NAME.
        base_urls: Vec<String> = Vec::new();
        /// IP addresses of the hosts in `base_urls`, at most 8; `{node_ip}` and `{pod_ip}` are replaced. Entry
        /// adds them to its answers, so that clients reach this uplink without DNS. An `https` URL needs a
        /// certificate for the host's name at each address. Hosts of `entry.addresses` are not affected.
        addresses: Vec<String> = Vec::new();
        /// Region in the names of `entry.region_file`, such as `CN-SH` or `CN`: entry prefers it for
        /// clients of the region, and of those whose region begins with it and a dash.
        @[serde(skip_serializing_if = "Option::is_none")]
        region: Option<String> = None;
        /// Carriers whose networks have a line to this uplink, in the names of `entry.region_file`; none
        /// means all carriers.
        carriers: Vec<String> = Vec::new();
        /// Largest body of a post, in bytes.
        post_bytes_max: usize = 16 * 1024, between(64, 1 << 20);
        /// Largest body of a package or a tunnel request, in bytes.
        package_bytes_max: usize = 64 * 1024, between(64, 16 << 20);
        /// Longest time for a request body, in seconds; a slower one is refused.
        body_secs: u64 = 10, between(1, 600);
        /// Longest text, in characters as a reader counts them.
        text_chars_max: usize = 200, between(1, 10_000);
        /// Lowest role that may post gifts with a price and super chats. Where they cost money, only the
        /// payment service should have this role. Free gifts need no role. Without it: viewer where
        /// the server listens on loopback alone or runs with `--demo`, else admin.
        @[serde(skip_serializing_if = "Option::is_none")]
        gift_role_min: Option<Role> = None;
        /// List of the gifts with their prices; a post with another name or price is refused. Without
        /// any, every name is allowed, and the moderation checks the names.
        gifts: Vec<GiftConfig> = Vec::new();
        /// Tiers of super chats: color, length of the text and time on top by amount. The default has seven, for
        /// currencies with two decimals, on top from 2.00 (30 s) to 100.00 (an hour). Without any, super chats
        /// have no tier and are never on top.
        super_chats: Vec<SuperChatConfig> = default_tiers();
        /// Users whose admin tokens may send custom events, each with its namespaces, classes and rooms.
        /// Without any, every admin token may send every event to its rooms. With some, the admin tokens
        /// of all other users send none.
        event_senders: Vec<EventSenderConfig> = Vec::new();
        /// Largest super chat, and largest price times count of a gift, in the smallest unit of the
        /// currency. The default is a million in a currency with two decimals.
        amount_minor_max: u64 = 100_000_000, between(1, 1 << 52);
        /// Largest answer of the history and of the tunnel, in bytes. A longer page is cut short and
        /// names where it continues.
        answer_bytes_max: usize = 256 * 1024, between(4_096, 1 << 26);
        /// Memory for all such answers that are read or written, in bytes; at least `answer_bytes_max`.
        /// Beyond, a request waits for a second and is then refused as `overloaded`.
        answers_bytes_total_max: usize = 32 * 1024 * 1024, between(4_096, 16 << 30);
        /// Exports of histories that are written at the same time; a further one is refused as `overloaded`.
        /// Each holds a page of 200 messages, some 100 KB.
        exports_max: usize = 8, between(1, 1_024);
        /// Rooms that a broadcast publishes to at the same time. Enough to share the commits of the log,
        /// few enough to leave its queue to posts.
        broadcast_rooms_at_once: usize = 256, between(1, 65_536);
        /// Longest broadcast, in seconds. A longer one is cut off, and its answer lists the rooms that
        /// it reached.
        broadcast_secs_max: u64 = 60, between(1, 3_600);
        /// Lifetime of the token of a guest, in seconds. A single guest token cannot be revoked.
        guest_secs: u64 = 3_600, between(1, 30 * 86_400);
        /// Ids of likes and of messages under slow mode that are remembered, so that a retry is
        /// recognised. Beyond, the oldest are forgotten early.
        recent_max: usize = 100_000, between(1, 100_000_000);
        /// Reactions beside the like that viewers may post, up to 32 names of 1 to 16 lower-case letters,
        /// digits and underscores. Their sums travel in pulses, as likes do. A room may have a set of its own.
        reactions: Vec<String> = ["clap", "fire", "laugh", "wow"].map(String::from).into();
        /// Time over which the likes, reactions and votes of a room are summed, in milliseconds.
        pulse_ms: u64 = 1_000, between(10, 60_000);
        /// Number of likes and reactions that are published before the time is over.
        pulse_likes: u64 = 100, between(1, 1_000_000);
        /// Retention of the audit log, in days.
        audit_days: u32 = 90, between(1, 36_500);
        /// Flight recorder of posts.
        recorder: RecorderConfig = RecorderConfig::default();
        /// Limits by sender, address, room and platform.
        limits: LimitsConfig = LimitsConfig::default();
        /// First pages of histories.
        history: HistoryConfig = HistoryConfig::default();
        /// Polls and their votes.
        polls: PollsConfig = PollsConfig::default();
    }
}

impl UplinkConfig {
    /// Returns the place that the reports to the registry name.
    pub(crate) fn place(&self) -> barrage_bus::Place {
        let region = self.region.clone().filter(|region| !region.is_empty());
        let place = barrage_bus::Place { region, carriers: self.carriers.clone(), ..Default::default() };
        place.with_addresses(&self.addresses)
    }

    /// Why the list of reactions cannot be used; `None` when it can.
    #[must_use]
    pub fn reactions_problem(&self) -> Option<crate::LimitsError> {
        if self.reactions.len() > REACTIONS_MAX {
            return Some(crate::LimitsError::Reactions(format!("at most {REACTIONS_MAX} names")));
        }
        let bad = self.reactions.iter().find(|name| ReactionName::parse(name).is_err())?;
        let message = format!("{bad:?} is not 1 to 16 characters out of a-z, 0-9 and _");
        Some(crate::LimitsError::Reactions(message))
    }

    /// Why the tiers of super chats make no sense; `None` when they do.
    #[must_use]
    pub fn super_chats_problem(&self) -> Option<crate::LimitsError> {
        SuperChatTiers::new(&self.super_chats, self.text_chars_max).err()
    }

    /// Why the list of gifts makes no sense; `None` when it does.
    #[must_use]
    pub fn gifts_problem(&self) -> Option<crate::LimitsError> {
        crate::gift_config::prices(&self.gifts, self.amount_minor_max).err()
    }

    /// Why the list of senders of events makes no sense; `None` when it does.
    #[must_use]
    pub fn event_senders_problem(&self) -> Option<crate::LimitsError> {
        crate::event_senders::check(&self.event_senders).err()
    }
}
