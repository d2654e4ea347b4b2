//! `[moderation]`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::decision::Action;
use crate::error::ModerationError;
use crate::rules::escalation::EscalationConfig;
use crate::rules::hook::HookConfig;
use crate::rules::links::LinksConfig;
use crate::rules::repeat::RepeatConfig;

/// Each list costs one pass over every text.
const LISTS_MAX: usize = 16;
const LIST_NAME_CHARS_MAX: usize = 32;
/// Counts are kept one by one, and looked through.
const COUNT_MAX: u32 = 1_000;

/// `[moderation]`: what texts meet. By default the limits of repeats alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModerationConfig {
    /// A text longer than this is refused unread. Default 16384: far above what a
    /// post may have, so that it holds only for callers without a limit of their own.
    pub text_bytes_max: usize,
    /// Word lists, in the order in which they are searched; the first that refuses or
    /// holds a text decides. Default none, at most 16.
    pub lists: Vec<ListConfig>,
    /// The same text again and again.
    pub repeat: RepeatConfig,
    /// Addresses.
    pub links: LinksConfig,
    /// Mutes for those who go on.
    pub escalation: EscalationConfig,
    /// An outside service that is asked. Default none.
    pub hook: Option<HookConfig>,
}

impl Default for ModerationConfig {
    fn default() -> Self {
        ModerationConfig {
            text_bytes_max: 16_384,
            lists: Vec::new(),
            repeat: RepeatConfig::default(),
            links: LinksConfig::default(),
            escalation: EscalationConfig::default(),
            hook: None,
        }
    }
}

/// `[[moderation.lists]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListConfig {
    /// Its name, 1 to 32 characters.
    pub name: String,
    /// One word a line. Without a file the list is empty until its words are set.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// `mask`, `refuse`, `hold`, or `admit` to turn it off.
    pub action: Action,
    /// Report alone, do nothing. Default false.
    #[serde(default)]
    pub shadow: bool,
    /// Texts and names (`all`), `texts` alone, or `names` alone. Default `all`. A list of names
    /// keeps those of hosts and moderators from others: look-alikes of a word are found, too, and
    /// those who run a room are not checked.
    #[serde(default)]
    pub scope: ListScope,
}

/// What a list is searched in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListScope {
    /// Texts and the names of their senders.
    #[default]
    All,
    /// Texts alone.
    Texts,
    /// Names of senders alone.
    Names,
}

impl ModerationConfig {
    /// Checks what types do not; the error names the first wrong key.
    pub fn validate(&self) -> Result<(), ModerationError> {
        self.problems().into_iter().next().map_or(Ok(()), Err)
    }

    /// Every wrong key, apart from files.
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
            wrong("repeat", "an action is admit, refuse or hold: a whole text has no part to mask");
        }
        if [self.repeat.user_times_max, self.repeat.room_users_max, self.escalation.hits]
            .iter()
            .any(|count| *count > COUNT_MAX)
        {
            wrong("repeat, moderation.escalation", "counts are at most 1000");
        }
        if let Some(hook) = &self.hook {
            if !hook.url.expose().starts_with("http://") {
                wrong("hook.url", "must begin with http://");
            }
            if hook.fallback == Action::Mask {
                wrong("hook.fallback", "admit, hold or refuse");
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
    fn the_documented_form_is_read_and_unknown_keys_are_errors() {
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
    fn what_makes_no_sense_is_refused_with_its_key() {
        for (text, key) in [
            ("[repeat]\nuser_action = 'mask'", "repeat"),
            ("[escalation]\nhits = 1001", "escalation"),
            ("[hook]\nurl = 'https://x'", "hook.url"),
            ("[hook]\nurl = 'http://x'\nfallback = 'mask'", "hook.fallback"),
            ("[[lists]]\nname = ''\naction = 'mask'", "lists.name"),
            ("[[lists]]\nname = 'a'\naction = 'mask'\n[[lists]]\nname = 'a'\naction = 'hold'", "lists.name"),
        ] {
            let error = toml::from_str::<ModerationConfig>(text).unwrap().validate().unwrap_err();
            assert!(error.to_string().contains(key), "{error}");
        }
    }
}
