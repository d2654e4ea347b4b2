//! Which kinds of media wait for somebody's decision.

use barrage_part::{Kind, Setting};
use barrage_protocol::MediaKind;
use serde::{Deserialize, Serialize};

/// Kinds of media about which a moderator or the hook decides before they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKinds {
    /// No medium waits for a decision.
    None,
    /// Pictures and clips wait: what is shown without a click.
    Pictures,
    /// Every medium waits, sounds and files too.
    All,
}

impl Setting for MediaKinds {
    const KIND: Kind = Kind::Choice(&["none", "pictures", "all"]);
}

impl MediaKinds {
    /// Whether a medium of this kind waits.
    pub(crate) const fn covers(self, kind: MediaKind) -> bool {
        match self {
            MediaKinds::None => false,
            MediaKinds::Pictures => matches!(kind, MediaKind::Image | MediaKind::Video),
            MediaKinds::All => true,
        }
    }
}
