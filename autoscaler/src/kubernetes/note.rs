//! What is told to people, as Kubernetes events.

/// How grave it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Life goes on.
    Normal,
    /// Somebody should look.
    Warning,
}

impl Kind {
    pub(super) fn label(self) -> &'static str {
        match self {
            Kind::Normal => "Normal",
            Kind::Warning => "Warning",
        }
    }
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) kind: Kind,
    pub(super) reason: &'static str,
    pub(super) text: String,
}

impl Note {
    pub(super) fn normal(reason: &'static str, text: String) -> Note {
        Note { kind: Kind::Normal, reason, text }
    }

    pub(super) fn warning(reason: &'static str, text: String) -> Note {
        Note { kind: Kind::Warning, reason, text }
    }
}
