//! Roles of a process: the parts that run in it.

/// Set of the roles that one process has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Roles {
    pub(crate) gateway: bool,
    pub(crate) uplink: bool,
    pub(crate) entry: bool,
    pub(crate) archiver: bool,
    pub(crate) webhooks: bool,
    pub(crate) media: bool,
    pub(crate) courier: bool,
    pub(crate) push: bool,
}

impl Roles {
    /// Roles that `barrage up` has in one process; with receivers of webhooks it has `webhooks` too, with an
    /// address of media `media`, with letters `courier`, and with a push service `push`.
    pub(crate) const ALL: Roles =
        Roles { gateway: true, uplink: true, entry: true, archiver: true, ..Roles::NONE };
    const NONE: Roles = Roles {
        gateway: false,
        uplink: false,
        entry: false,
        archiver: false,
        webhooks: false,
        media: false,
        courier: false,
        push: false,
    };
    /// Role of a process that `barrage gateway` starts.
    pub(crate) const GATEWAY: Roles = Roles { gateway: true, ..Roles::NONE };
    /// Role of a process that `barrage uplink` starts.
    pub(crate) const UPLINK: Roles = Roles { uplink: true, ..Roles::NONE };
    /// Role of a process that `barrage entry` starts.
    pub(crate) const ENTRY: Roles = Roles { entry: true, ..Roles::NONE };
    /// Role of a process that `barrage archiver` starts.
    pub(crate) const ARCHIVER: Roles = Roles { archiver: true, ..Roles::NONE };

    /// Role of a process that `barrage webhooks` starts.
    pub(crate) const WEBHOOKS: Roles = Roles { webhooks: true, ..Roles::NONE };
    /// Role of a process that `barrage media` starts.
    pub(crate) const MEDIA: Roles = Roles { media: true, ..Roles::NONE };
    /// Role of a process that `barrage courier` starts.
    pub(crate) const COURIER: Roles = Roles { courier: true, ..Roles::NONE };
    /// Role of a process that `barrage push` starts.
    pub(crate) const PUSH: Roles = Roles { push: true, ..Roles::NONE };

    /// Whether one process has all roles that a site needs, as `barrage up` does.
    pub(crate) fn is_whole(self) -> bool {
        Roles { webhooks: false, media: false, courier: false, push: false, ..self } == Roles::ALL
    }

    /// Whether the process has public listeners; archiver, webhooks, courier and push alone have none, and media has
    /// its own.
    pub(crate) fn is_public(self) -> bool {
        self.gateway || self.uplink || self.entry
    }

    /// Whether the process reads or writes business records.
    pub(crate) fn needs_store(self) -> bool {
        self.uplink || self.archiver || self.webhooks
    }

    /// Whether the process counts against limits that instances share.
    pub(crate) fn needs_quota(self) -> bool {
        self.uplink || self.entry || self.media
    }

    /// Names of the roles, as reports have them.
    pub(crate) fn names(self) -> Vec<&'static str> {
        let all = [
            ("gateway", self.gateway),
            ("uplink", self.uplink),
            ("entry", self.entry),
            ("archiver", self.archiver),
            ("webhooks", self.webhooks),
            ("media", self.media),
            ("courier", self.courier),
            ("push", self.push),
        ];
        all.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect()
    }

    /// Label before a public address on standard output.
    pub(crate) fn label(self) -> &'static str {
        match self {
            roles if roles.entry => "page",
            Roles::GATEWAY => "gateway",
            Roles::UPLINK => "uplink",
            Roles::WEBHOOKS => "webhooks",
            Roles::MEDIA => "media",
            Roles::COURIER => "courier",
            Roles::PUSH => "push",
            _ => "archiver",
        }
    }
}
