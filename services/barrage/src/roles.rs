//! What a process is for.

/// The roles of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Roles {
    pub(crate) gateway: bool,
    pub(crate) uplink: bool,
    pub(crate) entry: bool,
    pub(crate) archiver: bool,
}

impl Roles {
    /// `barrage up`.
    pub(crate) const ALL: Roles = Roles { gateway: true, uplink: true, entry: true, archiver: true };
    const NONE: Roles = Roles { gateway: false, uplink: false, entry: false, archiver: false };
    /// `barrage gateway`.
    pub(crate) const GATEWAY: Roles = Roles { gateway: true, ..Roles::NONE };
    /// `barrage uplink`.
    pub(crate) const UPLINK: Roles = Roles { uplink: true, ..Roles::NONE };
    /// `barrage entry`.
    pub(crate) const ENTRY: Roles = Roles { entry: true, ..Roles::NONE };
    /// `barrage archiver`.
    pub(crate) const ARCHIVER: Roles = Roles { archiver: true, ..Roles::NONE };

    /// Whether anything is served to the public.
    pub(crate) fn is_public(self) -> bool {
        self.gateway || self.uplink || self.entry
    }

    /// Whether business records are read or written.
    pub(crate) fn needs_store(self) -> bool {
        self.uplink || self.archiver
    }

    /// Whether anything is counted against a limit that instances share.
    pub(crate) fn needs_quota(self) -> bool {
        self.uplink || self.entry
    }

    /// As it is announced.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Roles::ALL => "page",
            Roles::ENTRY => "page",
            Roles::GATEWAY => "gateway",
            Roles::UPLINK => "uplink",
            _ => "archiver",
        }
    }
}
