//! Capabilities that a client negotiates with `CAP`.

/// Names of all capabilities, as `CAP LS` lists them.
const NAMES: [&str; 6] = [
    "twitch.tv/tags",
    "twitch.tv/commands",
    "twitch.tv/membership",
    "message-tags",
    "server-time",
    "echo-message",
];

/// Capabilities of one connection; all are off at its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Capabilities {
    /// Tags of messages: id, badges, display name and so on.
    pub(crate) tags: bool,
    /// Lines such as `CLEARCHAT`, `ROOMSTATE`, `USERNOTICE` and `RECONNECT`.
    pub(crate) commands: bool,
    /// `MODE` for moderators; the platform lists no viewers.
    pub(crate) membership: bool,
    /// Tags of IRCv3: `msgid` on messages.
    pub(crate) message_tags: bool,
    /// Time of each message in the tag `time`.
    pub(crate) server_time: bool,
    /// The client's own messages come back to it.
    pub(crate) echo: bool,
}

/// The request names a capability that the gateway has not; nothing was changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unknown;

/// Changes of one `CAP REQ`, which come into force together or not at all.
pub(crate) type CapabilityChange = Result<Capabilities, Unknown>;

impl Capabilities {
    /// All names, with a space between them.
    pub(crate) fn all() -> String {
        NAMES.join(" ")
    }

    /// Names of those in force, with a space between them.
    pub(crate) fn in_force(mut self) -> String {
        let names = NAMES.iter().filter(|name| self.field(name).is_some_and(|field| *field));
        names.copied().collect::<Vec<_>>().join(" ")
    }

    /// Returns the capabilities after a request such as `message-tags -echo-message`.
    pub(crate) fn requested(mut self, request: &str) -> CapabilityChange {
        for name in request.split_ascii_whitespace() {
            let (name, is_on) = match name.strip_prefix('-') {
                Some(name) => (name, false),
                None => (name, true),
            };
            *self.field(name).ok_or(Unknown)? = is_on;
        }
        Ok(self)
    }

    fn field(&mut self, name: &str) -> Option<&mut bool> {
        Some(match name {
            "twitch.tv/tags" => &mut self.tags,
            "twitch.tv/commands" => &mut self.commands,
            "twitch.tv/membership" => &mut self.membership,
            "message-tags" => &mut self.message_tags,
            "server-time" => &mut self.server_time,
            "echo-message" => &mut self.echo,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_capability_can_be_requested() {
        let all = Capabilities::default().requested(&Capabilities::all()).unwrap();
        assert_eq!(all.in_force(), Capabilities::all());
        assert_eq!(all.requested("-echo-message").unwrap().in_force(), NAMES[..5].join(" "));
    }

    #[test]
    fn request_with_an_unknown_name_changes_nothing() {
        assert_eq!(Capabilities::default().requested("server-time sasl"), Err(Unknown));
    }
}
