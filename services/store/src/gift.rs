//! The gift ledger: what was paid, by whom, in which room.

use barrage_protocol::{RoomId, Sequence, UserId};

/// What kind of payment a ledger row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GiftKind {
    /// A gift, counted in pieces.
    Gift,
    /// A paid message.
    SuperChat,
}

impl GiftKind {
    /// Stable name in the database and in exports.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            GiftKind::Gift => "gift",
            GiftKind::SuperChat => "super_chat",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn of_label(label: &str) -> Option<Self> {
        [GiftKind::Gift, GiftKind::SuperChat].into_iter().find(|kind| kind.label() == label)
    }
}

/// One row of the ledger. Room and sequence are its identity: recording it again
/// changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GiftRecord {
    /// Position of the message that carried it.
    pub sequence: Sequence,
    /// Where.
    pub room: RoomId,
    /// Who paid.
    pub user: UserId,
    /// What kind.
    pub kind: GiftKind,
    /// The gift's name; empty for a super chat.
    pub name: String,
    /// How many; 1 for a super chat.
    pub count: u32,
    /// Price of one in the smallest unit of the currency.
    pub price_minor: u64,
    /// ISO 4217 code; `None` is the platform's own coin.
    pub currency: Option<String>,
    /// Position in a combo; `None` outside one.
    pub combo: Option<u32>,
    /// Unix time of acceptance, in milliseconds.
    pub at_ms: u64,
}

impl GiftRecord {
    /// Greatest amount that a row holds: readers of JSON keep it exactly.
    pub const AMOUNT_MINOR_MAX: u64 = (1 << 53) - 1;

    /// Count times price in the smallest unit, at most
    /// [`Self::AMOUNT_MINOR_MAX`]: a price nobody can pay must not stop the
    /// ledger of those who did.
    #[must_use]
    pub fn amount_minor(&self) -> u64 {
        u64::from(self.count).saturating_mul(self.price_minor).min(Self::AMOUNT_MINOR_MAX)
    }
}

/// What was paid in one currency.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GiftSum {
    /// ISO 4217 code; `None` is the platform's own coin.
    pub currency: Option<String>,
    /// Ledger rows.
    pub entries: u64,
    /// Pieces.
    pub count: u64,
    /// Sum in the currency's smallest unit.
    pub amount_minor: u64,
}
