//! The uplink: takes posts over short keep-alive HTTP requests, checks them, and publishes them on
//! the bus. The rules of the business are here; a gateway has none.
//!
//! Folders, from the bottom up: `text` (cleaning), `record` (ledger, traces, audit log), `room`
//! (access, settings, signals), `history` (pages of histories), `action` (actions of moderators), `poll` (polls and votes), `review` (the review queue), `words` (words
//! of rooms), `attribute` (attributes of rooms), `account` (accounts of people), `post`
//! (the pipeline), `inbox` (letters and groups), `admin` (the admin API), `http` (public routes).

mod account;
mod action;
mod admin;
mod answer_memory;
mod attribute;
mod config;
mod event_senders;
mod export_slots;
mod gift_config;
mod guest_id;
mod history;
mod history_config;
mod http;
mod inbox;
mod limits_config;
mod media;
mod metrics;
mod poll;
mod polls_config;
mod post;
mod processor_time;
mod record;
mod review;
mod room;
mod super_chat_config;
mod text;
mod uplink;
mod words;

pub use account::{AccountNames, AccountParts, AccountsConfig, account_router};
pub use config::UplinkConfig;
pub use event_senders::EventSenderConfig;
pub use gift_config::GiftConfig;
pub use history_config::HistoryConfig;
#[doc(hidden)]
pub use http::count_tunnel_requests;
pub use http::{admin_router, direct_route, guest_router, operations, router};
pub use inbox::{InboxConfig, InboxParts, Pseudonyms};
pub use limits_config::{LimitsConfig, LimitsError, RULES as LIMIT_RULES};
pub use metrics::UplinkMetrics;
pub use polls_config::PollsConfig;
pub use record::AuditQueue;
pub use super_chat_config::SuperChatConfig;
#[doc(hidden)]
pub use text::clean_text;
pub use uplink::{Parts, Uplink};
