//! Roles of a process: the parts that run in it.

/// Set of the roles that one process has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Roles {
    pub(crate) gateway: bool,
    pub(crate) uplink: bool,
    pub(crate) entry: bool,
    pub(crate) archiver: bool,
}

impl Roles {
    /// All roles, which `barrage up` has in one process.
    pub(crate) const ALL: Roles = Roles { gateway: true, uplink: true, entry: true, archiver: true };
    const NONE: Roles = Roles { gateway: false, uplink: false, entry: false, archiver: false };
    /// Role of a process that `barrage gateway` starts.
    pub(crate) const GATEWAY: Roles = Roles { gateway: true, ..Roles::NONE };
    /// Role of a process that `barrage uplink` starts.
    pub(crate) const UPLINK: Roles = Roles { uplink: true, ..Roles::NONE };
    /// Role of a process that `barrage entry` starts.
    pub(crate) const ENTRY: Roles = Roles { entry: true, ..Roles::NONE };
    /// Role of a process that `barrage archiver` starts.
    pub(crate) const ARCHIVER: Roles = Roles { archiver: true, ..Roles::NONE };

    /// Whether the process has public listeners; the archiver alone has none.
    pub(crate) fn is_public(self) -> bool {
        self.gateway || self.uplink || self.entry
    }

    /// Whether the process reads or writes business records.
    pub(crate) fn needs_store(self) -> bool {
        self.uplink || self.archiver
    }

    /// Whether the process counts against limits that instances share.
    pub(crate) fn needs_quota(self) -> bool {
        self.uplink || self.entry
    }

    /// Names of the roles, as reports have them.
    pub(crate) fn names(self) -> Vec<&'static str> {
        let all = [
            ("gateway", self.gateway),
            ("uplink", self.uplink),
            ("entry", self.entry),
            ("archiver", self.archiver),
        ];
        all.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect()
    }

    /// Label before a public address on standard output.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Roles::ALL | Roles::ENTRY => "page",
            Roles::GATEWAY => "gateway",
            Roles::UPLINK => "uplink",
            _ => "archiver",
        }
    }
}
