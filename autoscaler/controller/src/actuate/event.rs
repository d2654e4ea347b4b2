//! Events for operators, written as Kubernetes events and as log lines.

/// Type of a Kubernetes event, as its label names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventKind {
    Normal,
    /// An operator should look at the fleet.
    Warning,
}

impl EventKind {
    pub(crate) fn label(self) -> &'static str {
        match self {
            EventKind::Normal => "Normal",
            EventKind::Warning => "Warning",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FleetEvent {
    pub(crate) kind: EventKind,
    pub(crate) reason: &'static str,
    pub(crate) text: String,
}

impl FleetEvent {
    pub(crate) fn normal(reason: &'static str, text: String) -> FleetEvent {
        FleetEvent { kind: EventKind::Normal, reason, text }
    }

    pub(crate) fn warning(reason: &'static str, text: String) -> FleetEvent {
        FleetEvent { kind: EventKind::Warning, reason, text }
    }
}
