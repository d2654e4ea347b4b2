//! The bus between the roles: messages, settings and the registry of instances.
//!
//! [`Bus`] is three traits in one: [`Log`] (topics, chain, deduplication, repair),
//! [`SettingsStore`] and [`Registry`]. Callers cannot see which engine is behind it:
//!
//! - [`EmbeddedBus`] keeps recent messages in memory and every accepted one in a log on disk that
//!   survives `kill -9`.
//! - [`NatsBus`] keeps them in NATS JetStream streams that all processes share.

mod bus;
mod config;
mod embedded;
mod error;
mod events;
mod fault;
mod lanes;
mod log;
mod log_clock;
mod mail;
mod metrics;
pub mod moves;
pub mod nats;
mod refusal;
mod registry;
mod settings;
mod settings_store;
mod shared_map;
mod topic_log;

pub use bus::{Bus, grown};
pub use config::BusConfig;
pub use embedded::{Committed, EmbeddedBus, EmbeddedLanes, EmbeddedMail, SteppedBus};
pub use error::BusError;
pub use events::{Event, PulseDraft};
pub use fault::{Fault, Report};
pub use lanes::{
    LANE_APPEND_BYTES_MAX, LANE_APPEND_MAX, LANE_BODY_BYTES_MAX, LANE_KEY_BYTES_MAX, LANE_READ_MAX,
    LaneDraft, LaneEntry, LaneReceipt, Lanes, lane_of,
};
pub use log::{Draft, Log, Range, RangeLimits, Receipt, Spread, Stored, Subscription, Topic};
pub use mail::{
    ATTACHMENTS_MAX, Attachments, MAIL_BYTES_MAX, Mail, MailEnvelope, MailGroup, MailNews, MailReceiver,
    SnapshotPart, UserHash,
};
pub use metrics::BusMetrics;
pub use nats::{NatsBus, NatsConfig, NatsLanes, NatsMail};
pub use registry::{
    EntryReport, Factor, InstanceReport, Place, Registered, Registry, Role, ScalingReport, UplinkLoad,
    entry_load,
};
pub use settings::Settings;
pub use settings::action::{ACTIONS_PER_ROOM_MAX, ActionLog, ActionRecord, ActionResult};
pub use settings::attribute::{AttributeChange, RoomAttributes, removed_version};
pub use settings::change::Change;
pub use settings::changed::Changed;
pub use settings::emotes::EmoteWords;
pub use settings::error::{ChangeError, PREWARMS_MAX};
pub use settings::partition_plan::PartitionPlan;
pub use settings::restriction::{Restriction, RestrictionKind, Restrictions};
pub use settings::review::{
    DecidedReview, HeldMessage, REPORTS_PER_REPORTER_MAX, REPORTS_PER_ROOM_MAX, REVIEW_LOCK_MS,
    REVIEWS_PER_ROOM_MAX, REVIEWS_PER_SENDER_MAX, ReviewChange, ReviewItem, ReviewQueue, Verdict,
};
pub use settings::revocation::Revocations;
pub use settings::role::{ROLES_PER_ROOM_MAX, RoomRoles};
pub use settings::room::{Prewarm, RoomPatch, RoomSettings, Shield};
pub use settings::room_place::RoomPlace;
pub use settings::sampling::SamplingOverlay;
pub use settings::setting::Setting;
pub use settings::signal_mark::{SignalMark, StatePart};
pub use settings::super_chat::{Hidden, RoomSuperChats, SuperChatChange};
pub use settings::switch::{SwitchError, SwitchView, Switches};
pub use settings::words::{ROOM_WORDS_MAX, RoomWords, WORD_RULES_MAX};
pub use settings_store::SettingsStore;
pub use shared_map::SharedMap;
