//! Settings of the moderation.

use std::path::PathBuf;

use barrage_part::{Kind, Setting};
use serde::{Deserialize, Serialize};

use crate::decision::Action;
use crate::error::ModerationError;
use crate::rules::escalation::EscalationConfig;
use crate::rules::hook::HookConfig;
use crate::rules::links::LinksConfig;
use crate::rules::repeat::RepeatConfig;

/// Maximum word lists; each costs one pass over every text.
const LISTS_MAX: usize = 16;
/// Longest name of a word list, in characters.
const LIST_NAME_CHARS_MAX: usize = 32;
/// Largest count in a rule: hits are kept one by one, and scanned.
const COUNT_MAX: u32 = 1_000;

barrage_part::part! {
    /// Rules for texts and names. By default only repeated texts are limited.
    pub struct ModerationConfig {
        /// Largest text in bytes; a larger one is refused unread. Far above the texts of posts, for
        /// callers without a limit of their own.
        text_bytes_max: usize = 16_384, between(1, 16 << 20);
        /// Word lists, at most 16, in the order of search. The first list that refuses or holds a text
        /// decides.
        lists: Vec<ListConfig> = Vec::new();
        /// Rules for repeated texts.
        repeat: RepeatConfig = RepeatConfig::default();
        /// Rules for addresses in texts.
        links: LinksConfig = LinksConfig::default();
        /// Mutes after several hits.
        escalation: EscalationConfig = EscalationConfig::default();
        /// Outside service that decides about texts.
        hook: Option<HookConfig> = None;
    }
}

impl Setting for ListConfig {
    const KIND: Kind = Kind::Named("word list");
}

/// A table of `[[moderation.lists]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListConfig {
    /// Name of the list, 1 to 32 characters.
    pub name: String,
    /// File with one word a line. Without a file the list is empty until its words are set.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// Action for a hit: `mask`, `refuse`, `hold` or `review`; `admit` turns the list off.
    pub action: Action,
    /// Whether hits are only reported. Default false.
    #[serde(default)]
    pub shadow: bool,
    /// Where the list is searched: texts and names (`all`), `texts` alone or `names` alone. Default
    /// `all`. A list for names reserves the names of hosts and moderators: it finds look-alikes, and
    /// moderators themselves are not checked.
    #[serde(default)]
    pub scope: ListScope,
}

/// Texts that a word list is searched in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListScope {
    /// Texts, and the names of their senders.
    #[default]
    All,
    /// Texts, but no names.
    Texts,
    /// Names of senders, but no texts.
    Names,
}

impl ModerationConfig {
    /// Checks relations that types and ranges do not express. The error names the first wrong key.
    pub fn validate(&self) -> Result<(), ModerationError> {
        self.problems().into_iter().next().map_or(Ok(()), Err)
    }

    /// Returns every wrong key, apart from files.
    #[must_use]
    pub fn problems(&self) -> Vec<ModerationError> {
        let mut found = Vec::new();
        let mut wrong = |key: &str, problem: &str| {
            let (key, problem) = (format!("moderation.{key}"), problem.to_owned());
            found.push(ModerationError::Config { key, problem });
        };
        if self.lists.len() > LISTS_MAX {
            wrong("lists", "at most 16 lists");
        }
        for (at, list) in self.lists.iter().enumerate() {
            if !(1..=LIST_NAME_CHARS_MAX).contains(&list.name.chars().count()) {
                wrong("lists.name", "1 to 32 characters");
            }
            if self.lists[..at].iter().any(|other| other.name == list.name) {
                wrong("lists.name", "two lists have the same name");
            }
        }
        if [self.repeat.user_action, self.repeat.room_action].contains(&Action::Mask) {
            wrong("repeat", "an action is admit, refuse, hold or review: a whole text has no part to mask");
        }
        if [self.repeat.user_times_max, self.repeat.room_users_max, self.escalation.hits]
            .iter()
            .any(|count| *count > COUNT_MAX)
        {
            wrong("repeat, moderation.escalation", "counts are at most 1000");
        }
        if let Some(hook) = &self.hook {
            if !["http://", "https://"].iter().any(|scheme| hook.url.expose().starts_with(scheme)) {
                wrong("hook.url", "must begin with http:// or https://");
            }
            if hook.fallback == Action::Mask {
                wrong("hook.fallback", "admit, hold, review or refuse");
            }
            if hook.deadline_ms == 0 || hook.calls_max == 0 {
                wrong("hook", "deadline_ms and calls_max are at least 1");
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documented_form_is_valid_and_unknown_keys_are_errors() {
        let config: ModerationConfig = toml::from_str(
            r#"
            [[lists]]
            name = "abuse"
            file = "abuse.txt"
            action = "mask"
            [repeat]
            user_times_max = 3
            [links]
            action = "hold"
            allow = ["example.com"]
            [hook]
            url = "http://127.0.0.1:9000/check"
            fallback = "hold"
            "#,
        )
        .unwrap();
        config.validate().unwrap();
        assert_eq!(config.hook.unwrap().deadline_ms, 200);
        assert_eq!(toml::from_str::<ModerationConfig>("").unwrap(), ModerationConfig::default());
        for bad in ["list = []", "[repeat]\nx = 1", "[links]\nx = 1", "[escalation]\nx = 1"] {
            assert!(toml::from_str::<ModerationConfig>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn contradictions_are_refused_with_their_key() {
        for (text, key) in [
            ("[repeat]\nuser_action = 'mask'", "repeat"),
            ("[escalation]\nhits = 1001", "escalation"),
            ("[hook]\nurl = 'ftp://x'", "hook.url"),
            ("[hook]\nurl = 'http://x'\nfallback = 'mask'", "hook.fallback"),
            ("[[lists]]\nname = ''\naction = 'mask'", "lists.name"),
            ("[[lists]]\nname = 'a'\naction = 'mask'\n[[lists]]\nname = 'a'\naction = 'hold'", "lists.name"),
        ] {
            let error = toml::from_str::<ModerationConfig>(text).unwrap().validate().unwrap_err();
            assert!(error.to_string().contains(key), "{error}");
        }
    }
}
