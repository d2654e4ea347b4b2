//! The gift ledger: payments of users in rooms.

use barrage_protocol::{RoomId, Sequence, UserId};

/// Kind of a payment; its label is stored and exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GiftKind {
    /// A gift, counted in pieces of one price.
    Gift,
    /// A paid message of a viewer, counted as one piece.
    SuperChat,
}

impl GiftKind {
    /// Returns the stable name in the database and in exports.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            GiftKind::Gift => "gift",
            GiftKind::SuperChat => "super_chat",
        }
    }

    /// Returns the kind with this label; `None` for an unknown one.
    #[must_use]
    pub fn of_label(label: &str) -> Option<Self> {
        [GiftKind::Gift, GiftKind::SuperChat].into_iter().find(|kind| kind.label() == label)
    }
}

/// One row of the ledger, identified by room and sequence: a second row with the same identity is
/// ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GiftRecord {
    /// Position of the message that carried the payment.
    pub sequence: Sequence,
    /// Room of the payment; together with the sequence it identifies the row.
    pub room: RoomId,
    /// User who paid: the sender of the message.
    pub user: UserId,
    /// Kind of the payment: gift or super chat.
    pub kind: GiftKind,
    /// Name of the gift; empty for a super chat.
    pub name: String,
    /// Number of pieces; 1 for a super chat.
    pub count: u32,
    /// Price of one piece in the smallest unit of the currency.
    pub price_minor: u64,
    /// ISO 4217 code; `None` is the platform's own coin.
    pub currency: Option<String>,
    /// Position in a combo; `None` outside of one.
    pub combo: Option<u32>,
    /// Time at which the message was accepted, in Unix milliseconds.
    pub at_ms: u64,
}

impl GiftRecord {
    /// Greatest stored amount: readers of JSON represent it exactly.
    pub const AMOUNT_MINOR_MAX: u64 = (1 << 53) - 1;

    /// Returns count times price in the smallest unit, at most [`Self::AMOUNT_MINOR_MAX`]: an
    /// absurd price must not stop the ledger of real payments.
    #[must_use]
    pub fn amount_minor(&self) -> u64 {
        u64::from(self.count).saturating_mul(self.price_minor).min(Self::AMOUNT_MINOR_MAX)
    }
}
