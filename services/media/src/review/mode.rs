//! Which media wait for a moderator.

use barrage_part::{Kind, Setting};
use barrage_protocol::MediaKind;
use serde::{Deserialize, Serialize};

/// Which media wait for a moderator before they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewMode {
    /// No medium waits for anybody.
    None,
    /// Pictures and clips wait: what is shown without a click.
    Pictures,
    /// Every medium waits, sounds and files too.
    All,
}

impl Setting for ReviewMode {
    const KIND: Kind = Kind::Choice(&["none", "pictures", "all"]);
}

impl ReviewMode {
    /// Whether a medium of this kind waits.
    pub(crate) const fn covers(self, kind: MediaKind) -> bool {
        match self {
            ReviewMode::None => false,
            ReviewMode::Pictures => matches!(kind, MediaKind::Image | MediaKind::Video),
            ReviewMode::All => true,
        }
    }
}
