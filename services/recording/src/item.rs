//! One item of a recording: a danmaku, a gift or a super chat.

use barrage_protocol::placement::Placement;

/// One entry of a recording that the parser has kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Milliseconds since the start of the stream or the video.
    pub offset_ms: u64,
    /// Sender: the user name where a recorder wrote one, else the site's hash of the user's number. May
    /// be empty in old files.
    pub sender: String,
    /// Kind of the item, with the content of that kind.
    pub kind: ItemKind,
}

/// Kind and content of an item; memberships are gifts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemKind {
    /// A danmaku message of a viewer, which costs nothing.
    Chat {
        /// Text without control and bidirectional characters, not blank.
        text: String,
        /// Position on the picture; both scrolling directions are one mode.
        mode: Mode,
        /// Color as RGB, 0 to 16,777,215; an opacity in the file is ignored.
        color: u32,
        /// Height in the site's pixels: 25 is normal, 18 is small, 36 is large.
        size_px: u32,
    },
    /// Gift, or a membership ("guard") under the site's name for it.
    Gift {
        /// Name of the gift or membership, not blank.
        name: String,
        /// Number of pieces in this entry, 1 to 1,000,000.
        count: u32,
        /// Price of one piece in fen (1/100 yuan); 0 when free or not recorded.
        price_minor: u64,
    },
    /// A paid message of a viewer, with the amount paid.
    SuperChat {
        /// Text without control and bidirectional characters, as for chat.
        text: String,
        /// Amount in the smallest unit of the currency.
        amount_minor: u64,
        /// ISO 4217 code of the currency; `CNY` where a file has none.
        currency: String,
    },
}

/// Position of a danmaku on the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Scrolls across the picture from right to left.
    Scroll,
    /// Scrolls from left to right, which is rare: mode 6 of the site.
    Reverse,
    /// Fixed at the top of the picture: mode 5 of the site.
    Top,
    /// Fixed at the bottom of the picture: mode 4 of the site.
    Bottom,
    /// At a position of its own: mode 7 of the site. The height of the text is the item's `size_px`.
    Placed(Placement),
}
