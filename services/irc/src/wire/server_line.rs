//! A line of the gateway, which no name and no text can end early.

use std::fmt::{Display, Write as _};

use super::Capabilities;

/// Name of the server in prefixes. Clients of the format compare it.
pub(crate) const SERVER: &str = "tmi.twitch.tv";

/// Which clients get a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readers {
    All,
    /// Only clients that asked for `twitch.tv/commands`.
    Commands,
    /// Clients without it, for which another line stands in.
    Plain,
    /// Only clients that asked for `twitch.tv/membership`.
    Membership,
}

impl Readers {
    fn of_command(command: &str) -> Readers {
        match command {
            "CLEARCHAT" | "CLEARMSG" | "GLOBALUSERSTATE" | "ROOMSTATE" | "USERNOTICE" | "USERSTATE" => {
                Readers::Commands
            }
            _ => Readers::All,
        }
    }
}

/// A line to a client. Line and tags are sent as far as the client's capabilities permit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerLine {
    readers: Readers,
    tags: Vec<(&'static str, String)>,
    rest: String,
}

impl ServerLine {
    /// A line of the server itself.
    pub(crate) fn of_server(command: &str) -> Self {
        let readers = Readers::of_command(command);
        ServerLine { readers, tags: Vec::new(), rest: format!(":{SERVER} {command}") }
    }

    /// A line of a user, by the user's nick.
    pub(crate) fn of_user(nick: &str, command: &str) -> Self {
        let mut line = ServerLine { readers: Readers::All, tags: Vec::new(), rest: String::from(":") };
        line.push(nick, true);
        line.rest.push('!');
        line.push(nick, true);
        line.rest.push('@');
        line.push(nick, true);
        _ = write!(line.rest, ".{SERVER} {command}");
        line
    }

    /// A line of the host of a user, which lists of names have.
    pub(crate) fn of_host(nick: &str, command: &str) -> Self {
        let mut line = ServerLine { readers: Readers::All, tags: Vec::new(), rest: String::from(":") };
        line.push(nick, true);
        _ = write!(line.rest, ".{SERVER} {command}");
        line
    }

    /// A line without a prefix.
    pub(crate) fn bare(command: &str) -> Self {
        ServerLine { readers: Readers::All, tags: Vec::new(), rest: command.to_owned() }
    }

    /// Keeps the line from clients with `twitch.tv/commands`, which get another one.
    pub(crate) fn for_plain_clients(self) -> Self {
        ServerLine { readers: Readers::Plain, ..self }
    }

    /// Keeps the line from clients without `twitch.tv/membership`.
    pub(crate) fn for_membership(self) -> Self {
        ServerLine { readers: Readers::Membership, ..self }
    }

    /// Whether a client with these capabilities gets the line.
    pub(crate) fn is_for(&self, capabilities: Capabilities) -> bool {
        match self.readers {
            Readers::All => true,
            Readers::Commands => capabilities.commands,
            Readers::Plain => !capabilities.commands,
            Readers::Membership => capabilities.membership,
        }
    }

    /// Adds a tag; an empty value is written as such.
    pub(crate) fn tag(mut self, key: &'static str, value: impl Display) -> Self {
        self.tags.push((key, value.to_string()));
        self
    }

    /// Adds a parameter. A character that would end it becomes `_`.
    pub(crate) fn param(mut self, param: &str) -> Self {
        self.rest.push(' ');
        if param.is_empty() || param.starts_with(':') {
            self.rest.push('_');
        }
        self.push(param, true);
        self
    }

    /// Adds the last parameter, which may have spaces. A character that would end the line becomes a space.
    pub(crate) fn text(mut self, text: &str) -> Self {
        self.rest.push_str(" :");
        self.push(text, false);
        self
    }

    fn push(&mut self, part: &str, is_word: bool) {
        self.rest.extend(part.chars().map(|c| match c {
            '\r' | '\n' | '\0' if is_word => '_',
            ' ' if is_word => '_',
            '\r' | '\n' | '\0' => ' ',
            c => c,
        }));
    }

    /// Returns the bytes of the line with its end.
    pub(crate) fn encode(&self, capabilities: Capabilities) -> String {
        let is_sent = |key: &str| match key {
            "time" => capabilities.server_time,
            "msgid" => capabilities.message_tags,
            _ => capabilities.tags,
        };
        let mut line = String::with_capacity(self.rest.len() + 2);
        for (key, value) in self.tags.iter().filter(|(key, _)| is_sent(key)) {
            line.push(if line.is_empty() { '@' } else { ';' });
            line.push_str(key);
            line.push('=');
            escape(value, &mut line);
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&self.rest);
        line.push_str("\r\n");
        line
    }
}

/// Escapes the value of a tag as IRCv3 does. A NUL, which has no escape, is left out.
fn escape(value: &str, line: &mut String) {
    for c in value.chars() {
        match c {
            ';' => line.push_str("\\:"),
            ' ' => line.push_str("\\s"),
            '\\' => line.push_str("\\\\"),
            '\r' => line.push_str("\\r"),
            '\n' => line.push_str("\\n"),
            '\0' => {}
            c => line.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all() -> Capabilities {
        Capabilities::default().requested(&Capabilities::all()).unwrap()
    }

    #[test]
    fn tags_follow_the_capabilities() {
        let line = ServerLine::of_user("ann", "PRIVMSG").param("#demo").text("hi");
        let line = line.tag("display-name", "Ann; B").tag("time", "now").tag("msgid", 7);
        let plain = ":ann!ann@ann.tmi.twitch.tv PRIVMSG #demo :hi\r\n";
        assert_eq!(line.encode(Capabilities::default()), plain);
        assert_eq!(line.encode(all()), format!("@display-name=Ann\\:\\sB;time=now;msgid=7 {plain}"));
        let time = Capabilities { server_time: true, ..Capabilities::default() };
        assert_eq!(line.encode(time), format!("@time=now {plain}"));
    }

    proptest! {
        #[test]
        fn no_name_and_no_text_ends_a_line_or_a_parameter(name in ".{0,40}", word in ".{0,40}", text in "(?s).{0,80}") {
            let line = ServerLine::of_user(&name, "PRIVMSG").param(&word).text(&text);
            let line = line.tag("display-name", &name).encode(all());
            let inner = line.strip_suffix("\r\n").unwrap();
            prop_assert!(!inner.contains(['\r', '\n', '\0']));
            // Tags, prefix, command, parameter, text: four spaces before the text.
            let words: Vec<_> = inner.splitn(5, ' ').collect();
            prop_assert_eq!(words[2], "PRIVMSG");
            prop_assert!(words[4].starts_with(':'));
        }
    }
}
