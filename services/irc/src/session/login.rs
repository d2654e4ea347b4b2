//! Login of a connection: `CAP`, `PASS`, `NICK` and `USER`, in any order.

use super::effect::{CloseCause, Effect};
use super::identity::Identity;
use crate::wire::{Capabilities, ClientLine, SERVER, ServerLine};

/// What a client has sent of its login.
#[derive(Debug, Default)]
pub(super) struct Login {
    pass: Option<String>,
    nick: Option<String>,
    has_user: bool,
    /// `CAP LS` was sent and `CAP END` was not: the login waits for it. A `CAP REQ` alone does not begin a
    /// negotiation, because clients of Twitch send no `CAP END`.
    is_negotiating: bool,
}

impl Login {
    /// Takes a line of the login. Returns the identity once the login is complete, and an effect that ends
    /// the connection when it failed.
    pub(super) fn take(&mut self, line: &ClientLine, now_ms: u64) -> Result<Option<Identity>, Vec<Effect>> {
        match line.command.as_str() {
            "PASS" => self.pass = Some(line.param(0).to_owned()),
            "NICK" => self.nick = Some(line.param(0).to_owned()),
            "USER" => self.has_user = true,
            _ => {}
        }
        self.complete(now_ms)
    }

    /// Notes that the client negotiates capabilities, or has ended that.
    pub(super) fn negotiating(&mut self, is_negotiating: bool) {
        self.is_negotiating = is_negotiating;
    }

    pub(super) fn complete(&self, now_ms: u64) -> Result<Option<Identity>, Vec<Effect>> {
        let Some(nick) = self.nick.as_deref().filter(|_| !self.is_negotiating) else { return Ok(None) };
        if Identity::is_anonymous_nick(nick) {
            return Ok(Some(Identity::Anonymous { nick: nick.to_owned() }));
        }
        match &self.pass {
            Some(pass) => Identity::of_token(pass, now_ms).map(Some).ok_or_else(failed),
            // A client that sends PASS last is waited for, until USER.
            None if self.has_user => Err(failed()),
            None => Ok(None),
        }
    }
}

/// Effects of a token that is refused.
pub(super) fn failed() -> Vec<Effect> {
    let notice = ServerLine::of_server("NOTICE").param("*").text("Login authentication failed");
    vec![Effect::Send(notice), Effect::Close(CloseCause::Login)]
}

/// Lines behind a login.
pub(super) fn welcome(identity: &Identity, capabilities: Capabilities) -> Vec<ServerLine> {
    let me = identity.nick();
    let numeric = |number: &str| ServerLine::of_server(number).param(&me);
    let mut lines = vec![
        numeric("001").text("Welcome, GLHF!"),
        numeric("002").text(&format!("Your host is {SERVER}")),
        numeric("003").text("This server is rather new"),
        numeric("004").text("-"),
    ];
    if !capabilities.tags && !capabilities.commands {
        let limits = "CHANTYPES=# CASEMAPPING=ascii NICKLEN=128 CHANNELLEN=129 PREFIX=(o)@ CHANMODES=,,,";
        let supported = limits.split(' ').fold(numeric("005"), |line, limit| line.param(limit));
        lines.push(supported.text("are supported by this server"));
    }
    lines.push(numeric("375").text("-"));
    lines.push(numeric("372").text("You are in a maze of twisty passages, all alike."));
    lines.push(numeric("376").text(">"));
    if let (Some(user), true) = (identity.user(), capabilities.commands) {
        let line = ServerLine::of_server("GLOBALUSERSTATE").tag("badge-info", "").tag("badges", "");
        let line = line.tag("color", "").tag("display-name", identity.name()).tag("emote-sets", "0");
        lines.push(line.tag("user-id", user).tag("user-type", ""));
    }
    lines
}
