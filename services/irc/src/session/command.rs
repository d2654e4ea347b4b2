//! Commands that moderators write as a message: `/timeout ann 60 spam`.

use barrage_protocol::UserId;
use barrage_protocol::action::{Action, RoomRole};

use crate::wire::{sequence_of_message_id, user_of_nick};

/// Seconds of `/timeout` and `/slow` when none are named.
const TIMEOUT_SECS: u64 = 600;
const SLOW_SECS: u32 = 30;
/// Longest ban, which is what a ban without an end is: ten years.
pub(crate) const BAN_SECS_MAX: u64 = 315_360_000;
/// Longest reason for the audit log, in bytes.
const REASON_BYTES_MAX: usize = 1_000;

/// Command, as its answer names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Slow,
    SlowOff,
    MuteAll,
    MuteAllOff,
    Timeout,
    Untimeout,
    Ban,
    Unban,
    Kick,
    Purge,
    Delete,
    Clear,
    Warn,
    Announce,
    Pin,
    Unpin,
    Mod,
    Unmod,
}

/// What a text is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// A message, without the marks of `/me`.
    Text(String),
    /// A command, with the actions that it stands for and the reason for the audit log.
    Act { verb: Verb, actions: Vec<Action>, reason: Option<String> },
    /// A command whose parameters are wrong; the text says how to write it.
    Usage(Verb),
    /// A command that the gateway has not.
    Unknown(String),
}

impl Verb {
    fn of_name(name: &str) -> Option<Verb> {
        Some(match name {
            "slow" => Verb::Slow,
            "slowoff" => Verb::SlowOff,
            "subscribers" | "muteall" => Verb::MuteAll,
            "subscribersoff" | "mutealloff" => Verb::MuteAllOff,
            "timeout" | "mute" => Verb::Timeout,
            "untimeout" | "unmute" => Verb::Untimeout,
            "ban" => Verb::Ban,
            "unban" => Verb::Unban,
            "kick" => Verb::Kick,
            "purge" => Verb::Purge,
            "delete" => Verb::Delete,
            "clear" => Verb::Clear,
            "warn" => Verb::Warn,
            "announce" => Verb::Announce,
            "pin" => Verb::Pin,
            "unpin" => Verb::Unpin,
            "mod" => Verb::Mod,
            "unmod" => Verb::Unmod,
            _ => return None,
        })
    }

    /// Name in the `msg-id` of answers, as Twitch's answers have it.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Verb::Slow => "slow",
            Verb::SlowOff => "slowoff",
            Verb::MuteAll => "subscribers",
            Verb::MuteAllOff => "subscribersoff",
            Verb::Timeout => "timeout",
            Verb::Untimeout => "untimeout",
            Verb::Ban => "ban",
            Verb::Unban => "unban",
            Verb::Kick => "kick",
            Verb::Purge => "purge",
            Verb::Delete => "delete",
            Verb::Clear => "clear",
            Verb::Warn => "warn",
            Verb::Announce => "announce",
            Verb::Pin => "pin",
            Verb::Unpin => "unpin",
            Verb::Mod => "mod",
            Verb::Unmod => "unmod",
        }
    }

    /// How to write the command.
    pub(crate) const fn usage(self) -> &'static str {
        match self {
            Verb::Slow => "/slow [seconds, 1 to 3600]",
            Verb::SlowOff => "/slowoff",
            Verb::MuteAll => "/muteall",
            Verb::MuteAllOff => "/mutealloff",
            Verb::Timeout => "/timeout <user> [seconds] [reason]",
            Verb::Untimeout => "/untimeout <user>",
            Verb::Ban => "/ban <user> [reason]",
            Verb::Unban => "/unban <user>",
            Verb::Kick => "/kick <user> [reason]",
            Verb::Purge => "/purge <user> [reason]",
            Verb::Delete => "/delete <id of the message>",
            Verb::Clear => "/clear",
            Verb::Warn => "/warn <user> <text>",
            Verb::Announce => "/announce <text>",
            Verb::Pin => "/pin <id of the message>",
            Verb::Unpin => "/unpin",
            Verb::Mod => "/mod <user>",
            Verb::Unmod => "/unmod <user>",
        }
    }
}

impl Said {
    /// Reads the text of a PRIVMSG. `.` begins a command as `/` does, if its name is one; other texts that
    /// begin with it are messages.
    pub(crate) fn parse(text: &str) -> Said {
        if let Some(action) = text.strip_prefix("\u{1}ACTION ") {
            return Said::Text(action.trim_end_matches('\u{1}').to_owned());
        }
        let command = match text.strip_prefix('/') {
            Some(command) => command,
            None => match text.strip_prefix('.') {
                Some(command) if Verb::of_name(&first_word(command).0.to_ascii_lowercase()).is_some() => {
                    command
                }
                _ => return Said::Text(text.to_owned()),
            },
        };
        let (name, rest) = first_word(command);
        let name = name.to_ascii_lowercase();
        if name == "me" {
            return Said::Text(rest.to_owned());
        }
        match Verb::of_name(&name) {
            Some(verb) => actions(verb, rest).unwrap_or(Said::Usage(verb)),
            None => Said::Unknown(name.chars().take(30).collect()),
        }
    }
}

/// Returns the actions of a command; `None` when its parameters are wrong.
fn actions(verb: Verb, rest: &str) -> Option<Said> {
    let (first, after) = first_word(rest);
    let user = || user_of_nick(first);
    let message = || sequence_of_message_id(first);
    let role = |role| Some(Action::Role { user: user()?, role });
    let mut reason = "";
    let actions = match verb {
        Verb::Slow if first.is_empty() => vec![Action::SlowMode { secs: SLOW_SECS }],
        Verb::Slow => {
            let secs = first.parse().ok().filter(|secs| (1..=3_600).contains(secs))?;
            vec![Action::SlowMode { secs }]
        }
        Verb::SlowOff => vec![Action::SlowMode { secs: 0 }],
        Verb::MuteAll => vec![Action::MuteAll { on: true }],
        Verb::MuteAllOff => vec![Action::MuteAll { on: false }],
        Verb::Timeout => {
            let secs;
            (secs, reason) = seconds(after);
            let secs = secs.unwrap_or(TIMEOUT_SECS).clamp(1, BAN_SECS_MAX);
            with_purge(Action::Mute { user: user()?, secs }, user()?)
        }
        Verb::Ban => {
            reason = after;
            with_purge(Action::Ban { user: user()?, secs: BAN_SECS_MAX }, user()?)
        }
        Verb::Untimeout => vec![Action::Unmute { user: user()? }],
        // One command of IRC ends both, as its users expect.
        Verb::Unban => vec![Action::Unban { user: user()? }, Action::Unmute { user: user()? }],
        Verb::Kick => {
            reason = after;
            vec![Action::Kick { user: user()? }]
        }
        Verb::Purge => {
            reason = after;
            vec![Action::Purge { user: user()? }]
        }
        Verb::Delete => vec![Action::Recall { sequence: message()? }],
        Verb::Clear => vec![Action::Clear {}],
        Verb::Warn if after.is_empty() => return None,
        Verb::Warn => vec![Action::Warn { user: user()?, text: after.to_owned() }],
        Verb::Announce if rest.is_empty() => return None,
        Verb::Announce => vec![Action::Announce { text: rest.to_owned() }],
        Verb::Pin => vec![Action::Pin { sequence: message()? }],
        Verb::Unpin => vec![Action::Unpin {}],
        Verb::Mod => vec![role(RoomRole::Moderator)?],
        Verb::Unmod => vec![role(RoomRole::Viewer)?],
    };
    let reason = Some(cut(reason)).filter(|reason| !reason.is_empty());
    Some(Said::Act { verb, actions, reason })
}

/// A timeout and a ban of IRC hide what the user wrote, too.
fn with_purge(action: Action, user: UserId) -> Vec<Action> {
    vec![action, Action::Purge { user }]
}

/// Splits a time off such as `600`, `10m` or `2h`; the rest is the reason.
fn seconds(text: &str) -> (Option<u64>, &str) {
    let (word, rest) = first_word(text);
    let (digits, unit) = word.split_at(word.bytes().take_while(u8::is_ascii_digit).count());
    let unit = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return (None, text),
    };
    match digits.parse::<u64>() {
        Ok(number) => (Some(number.saturating_mul(unit)), rest),
        Err(_) => (None, text),
    }
}

fn first_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.trim_start().split_once(' ').unwrap_or((text.trim_start(), ""));
    (word, rest.trim())
}

fn cut(reason: &str) -> String {
    let mut end = reason.len().min(REASON_BYTES_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use barrage_protocol::Sequence;
    use proptest::prelude::*;

    use super::*;

    fn user() -> UserId {
        UserId::parse("Ann").unwrap()
    }

    fn act(text: &str) -> (Verb, Vec<Action>, Option<String>) {
        match Said::parse(text) {
            Said::Act { verb, actions, reason } => (verb, actions, reason),
            other => panic!("{text:?} is {other:?}"),
        }
    }

    #[test]
    fn commands_become_actions() {
        let purge = || Action::Purge { user: user() };
        let (verb, actions, reason) = act("/timeout @^ann 10m spam again");
        assert_eq!((verb, reason.as_deref()), (Verb::Timeout, Some("spam again")));
        assert_eq!(actions, [Action::Mute { user: user(), secs: 600 }, purge()]);
        let (_, actions, reason) = act(".timeout ^ann rude");
        assert_eq!(actions[0], Action::Mute { user: user(), secs: TIMEOUT_SECS });
        assert_eq!(reason.as_deref(), Some("rude"));
        assert_eq!(act("/BAN ^ANN").1, [Action::Ban { user: user(), secs: BAN_SECS_MAX }, purge()]);
        assert_eq!(act("/slow").1, [Action::SlowMode { secs: SLOW_SECS }]);
        assert_eq!(act("/slow 5").1, [Action::SlowMode { secs: 5 }]);
        assert_eq!(act("/delete m42").1, [Action::Recall { sequence: Sequence(42) }]);
        assert_eq!(act("/clear").1, [Action::Clear {}]);
        assert_eq!(act("/mod ^ann").1, [Action::Role { user: user(), role: RoomRole::Moderator }]);
    }

    #[test]
    fn texts_stay_texts() {
        for text in ["hello", "...", ".hello /slow", "1/2", ""] {
            assert_eq!(Said::parse(text), Said::Text(text.into()));
        }
        assert_eq!(Said::parse("\u{1}ACTION waves\u{1}"), Said::Text("waves".into()));
        assert_eq!(Said::parse("/me waves"), Said::Text("waves".into()));
    }

    #[test]
    fn wrong_commands_say_how_to_write_them() {
        for text in ["/timeout", "/timeout ^9", "/delete 42", "/delete m0", "/slow 9999", "/warn ann", "/mod"]
        {
            assert!(matches!(Said::parse(text), Said::Usage(_)), "{text:?}");
        }
        assert_eq!(Said::parse("/host ann"), Said::Unknown("host".into()));
    }

    proptest! {
        #[test]
        fn any_text_parses(text in "[/.]?.{0,60}") {
            if let Said::Act { reason: Some(reason), .. } = Said::parse(&text) {
                prop_assert!(reason.len() <= REASON_BYTES_MAX);
            }
        }
    }
}
