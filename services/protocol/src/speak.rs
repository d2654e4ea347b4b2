//! Who may speak in a room, and what: rules that moderators set, and the stored bundle of them that the
//! shield applies.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::action::RoomRole;

/// Maximum of [`SpeakRules::member_days_min`]: ten years.
const MEMBER_DAYS_MAX: u32 = 3_650;
/// Maximum that a room may set as [`SpeakRules::level_min`].
const LEVEL_MAX: u32 = 1_000_000;
/// Maximum of [`SpeakRules::unique_secs`] and of the shield's slow mode.
const SECS_MAX: u32 = 3_600;

/// Rules for chat and free gifts of a room. The default admits everything but placed danmaku of viewers. All but
/// the least roles spare moderators and above.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SpeakRules {
    /// Least role that may speak.
    #[serde(skip_serializing_if = "is_default")]
    pub role_min: RoomRole,
    /// Least `level` in the attributes of the token; 0 for none.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(range(max = 1_000_000))]
    pub level_min: u32,
    /// Least days since `member_since` in the attributes of the token; 0 for none.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(range(max = 3_650))]
    pub member_days_min: u32,
    /// Whether chats consist of emotes and emoji alone.
    #[serde(skip_serializing_if = "is_default")]
    pub emote_only: bool,
    /// Seconds within which a text may not come again in the room; 0 turns the rule off.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(range(max = 3_600))]
    pub unique_secs: u32,
    /// Whether texts with a link are refused.
    #[serde(skip_serializing_if = "is_default")]
    pub links_off: bool,
    /// Least role that may post danmaku of the mode `placed`; moderators by default.
    #[serde(skip_serializing_if = "is_moderator")]
    pub placed_role_min: RoomRole,
    /// Least role that may post pictures and stickers; off by default.
    #[serde(skip_serializing_if = "is_default")]
    pub media_role_min: MediaRole,
    /// Whether pictures of viewers wait in the room's reviews until a moderator approves them.
    #[serde(skip_serializing_if = "is_default")]
    pub media_review: bool,
}

/// Least role that may post pictures, or that nobody may.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum MediaRole {
    /// Everybody who may chat may post pictures.
    Viewer,
    /// Moderators and above may post pictures.
    Moderator,
    /// The host and above may post pictures.
    Host,
    /// The room has no pictures.
    #[default]
    Off,
}

impl Default for SpeakRules {
    fn default() -> Self {
        SpeakRules {
            role_min: RoomRole::Viewer,
            level_min: 0,
            member_days_min: 0,
            emote_only: false,
            unique_secs: 0,
            links_off: false,
            placed_role_min: RoomRole::Moderator,
            media_role_min: MediaRole::Off,
            media_review: false,
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn is_moderator(role: &RoomRole) -> bool {
    *role == RoomRole::Moderator
}

/// One rule with its new value: an object with one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpeakRule {
    /// Least role that may speak; `viewer` admits everybody.
    RoleMin(RoomRole),
    /// Least level of a viewer, 0 (off) to 1,000,000.
    LevelMin(u32),
    /// Least days of membership of a viewer, 0 (off) to 3,650.
    MemberDaysMin(u32),
    /// Whether viewers may send emotes and emoji alone.
    EmoteOnly(bool),
    /// Seconds within which a text may not come again, 0 (off) to 3,600.
    UniqueSecs(u32),
    /// Whether texts with a link are refused.
    LinksOff(bool),
    /// Least role that may post danmaku of the mode `placed`.
    PlacedRoleMin(RoomRole),
    /// Least role that may post pictures and stickers, or `off`.
    MediaRoleMin(MediaRole),
    /// Whether pictures of viewers wait for a moderator.
    MediaReview(bool),
}

impl SpeakRule {
    /// Returns the name of the rule, as `limit.rule` of a refusal has it behind `speak_`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            SpeakRule::RoleMin(_) => "role_min",
            SpeakRule::LevelMin(_) => "level_min",
            SpeakRule::MemberDaysMin(_) => "member_days_min",
            SpeakRule::EmoteOnly(_) => "emote_only",
            SpeakRule::UniqueSecs(_) => "unique_secs",
            SpeakRule::LinksOff(_) => "links_off",
            SpeakRule::PlacedRoleMin(_) => "placed_role_min",
            SpeakRule::MediaRoleMin(_) => "media_role_min",
            SpeakRule::MediaReview(_) => "media_review",
        }
    }
}

impl SpeakRules {
    /// Returns the rules with one of them changed.
    #[must_use]
    pub const fn with(mut self, rule: SpeakRule) -> Self {
        match rule {
            SpeakRule::RoleMin(role) => self.role_min = role,
            SpeakRule::LevelMin(level) => self.level_min = level,
            SpeakRule::MemberDaysMin(days) => self.member_days_min = days,
            SpeakRule::EmoteOnly(on) => self.emote_only = on,
            SpeakRule::UniqueSecs(secs) => self.unique_secs = secs,
            SpeakRule::LinksOff(on) => self.links_off = on,
            SpeakRule::PlacedRoleMin(role) => self.placed_role_min = role,
            SpeakRule::MediaRoleMin(role) => self.media_role_min = role,
            SpeakRule::MediaReview(on) => self.media_review = on,
        }
        self
    }

    /// Returns the stricter one of each rule.
    #[must_use]
    pub fn stricter(self, other: SpeakRules) -> Self {
        SpeakRules {
            role_min: self.role_min.max(other.role_min),
            level_min: self.level_min.max(other.level_min),
            member_days_min: self.member_days_min.max(other.member_days_min),
            emote_only: self.emote_only || other.emote_only,
            unique_secs: self.unique_secs.max(other.unique_secs),
            links_off: self.links_off || other.links_off,
            placed_role_min: self.placed_role_min.max(other.placed_role_min),
            media_role_min: self.media_role_min.max(other.media_role_min),
            media_review: self.media_review || other.media_review,
        }
    }

    /// Whether every rule has its default.
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self == SpeakRules::default()
    }

    /// Returns the first rule that is greater than its maximum, with the maximum.
    #[must_use]
    pub fn problem(&self) -> Option<(&'static str, u32)> {
        [
            ("level_min", self.level_min, LEVEL_MAX),
            ("member_days_min", self.member_days_min, MEMBER_DAYS_MAX),
            ("unique_secs", self.unique_secs, SECS_MAX),
        ]
        .into_iter()
        .find_map(|(name, value, max)| (value > max).then_some((name, max)))
    }
}

/// Rules that the shield adds to those of the room while it is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ShieldBundle {
    /// Rules of the shield; of each the stricter one of shield and room is in force.
    pub speak: SpeakRules,
    /// Seconds between two chats of one viewer, 0 to 3,600; the longer one of shield and room is in force.
    #[schemars(range(max = 3_600))]
    pub slow_mode_secs: u32,
}

impl Default for ShieldBundle {
    /// The bundle of a room that stored none: it needs no attributes in tokens.
    fn default() -> Self {
        let speak = SpeakRules { unique_secs: 60, links_off: true, ..SpeakRules::default() };
        ShieldBundle { speak, slow_mode_secs: 10 }
    }
}

impl ShieldBundle {
    /// Makes a bundle of rules, of which a later one replaces an earlier one of its kind.
    #[must_use]
    pub fn new(rules: &[SpeakRule], slow_mode_secs: u32) -> Self {
        let speak = rules.iter().fold(SpeakRules::default(), |speak, rule| speak.with(*rule));
        ShieldBundle { speak, slow_mode_secs }
    }

    /// Returns the first value that is greater than its maximum, with the maximum.
    #[must_use]
    pub fn problem(&self) -> Option<(&'static str, u32)> {
        let slow_mode = (self.slow_mode_secs > SECS_MAX).then_some(("slow_mode_secs", SECS_MAX));
        self.speak.problem().or(slow_mode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_an_object_with_one_field() {
        let rule: SpeakRule = serde_json::from_str(r#"{"level_min":5}"#).unwrap();
        assert_eq!((rule, rule.label()), (SpeakRule::LevelMin(5), "level_min"));
        for bad in ["{}", r#"{"level_min":5,"emote_only":true}"#, r#"{"level":5}"#, r#"{"role_min":"admin"}"#]
        {
            assert!(serde_json::from_str::<SpeakRule>(bad).is_err(), "{bad}");
        }
        assert_eq!(serde_json::to_string(&SpeakRules::default().with(rule)).unwrap(), r#"{"level_min":5}"#);
    }

    #[test]
    fn placed_danmaku_are_for_moderators_unless_the_room_says_otherwise() {
        let stored: SpeakRules = serde_json::from_str("{}").unwrap();
        assert_eq!(stored.placed_role_min, RoomRole::Moderator, "rooms of earlier releases");
        let open = stored.with(SpeakRule::PlacedRoleMin(RoomRole::Viewer));
        let json = serde_json::to_string(&open).unwrap();
        assert_eq!(json, r#"{"placed_role_min":"viewer"}"#);
        assert_eq!(serde_json::from_str::<SpeakRules>(&json).unwrap(), open);
        assert!(stored.is_open() && !open.is_open());
        let shield = ShieldBundle::default().speak;
        assert_eq!(open.stricter(shield).placed_role_min, RoomRole::Moderator, "the shield closes it");
    }

    #[test]
    fn pictures_are_off_unless_the_room_says_otherwise_and_the_shield_turns_them_off() {
        let stored: SpeakRules = serde_json::from_str("{}").unwrap();
        assert_eq!(stored.media_role_min, MediaRole::Off);
        let open = stored.with(serde_json::from_str(r#"{"media_role_min":"viewer"}"#).unwrap());
        assert_eq!(serde_json::to_string(&open).unwrap(), r#"{"media_role_min":"viewer"}"#);
        assert_eq!(open.stricter(ShieldBundle::default().speak).media_role_min, MediaRole::Off);
        let bundle = ShieldBundle::new(&[SpeakRule::MediaRoleMin(MediaRole::Moderator)], 0).speak;
        assert_eq!(open.stricter(bundle).media_role_min, MediaRole::Moderator);
    }

    #[test]
    fn the_stricter_of_two_never_admits_more_than_either() {
        let room = SpeakRules { level_min: 9, emote_only: true, ..SpeakRules::default() };
        let shield = SpeakRules { level_min: 3, links_off: true, ..SpeakRules::default() };
        let both = SpeakRules { level_min: 9, emote_only: true, links_off: true, ..room };
        assert_eq!((room.stricter(shield), shield.stricter(room)), (both, both));
        assert_eq!(room.stricter(SpeakRules::default()), room);
    }

    #[test]
    fn a_value_over_its_maximum_is_named() {
        for rule in
            [SpeakRule::LevelMin(1_000_001), SpeakRule::MemberDaysMin(3_651), SpeakRule::UniqueSecs(3_601)]
        {
            let rules = SpeakRules::default().with(rule);
            assert_eq!(rules.problem().map(|(name, _)| name), Some(rule.label()));
        }
        assert_eq!(ShieldBundle::default().problem(), None);
        let slow = ShieldBundle { slow_mode_secs: 3_601, ..ShieldBundle::default() };
        assert_eq!(slow.problem(), Some(("slow_mode_secs", 3_600)));
    }
}
