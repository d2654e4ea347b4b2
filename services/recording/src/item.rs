//! One thing that happened in the recorded room.

/// One entry of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Milliseconds since the stream (or the video) began.
    pub offset_ms: u64,
    /// Who: the user name where a recorder wrote one, else the hash that the
    /// site made of the user's number. May be empty in old files.
    pub sender: String,
    /// What.
    pub kind: ItemKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemKind {
    /// A danmaku.
    Chat {
        /// Its text: no control or bidirectional characters, not blank.
        text: String,
        /// Where it flies.
        mode: Mode,
        /// RGB, 0 to 16,777,215.
        color: u32,
        /// Height in the site's pixels: 25 is normal, 18 small, 36 large.
        size_px: u32,
    },
    /// A gift, or a membership bought ("guard").
    Gift {
        /// Its name.
        name: String,
        /// How many, 1 to 1,000,000.
        count: u32,
        /// Price of one in fen (1/100 yuan); 0 when free or not recorded.
        price_minor: u64,
    },
    /// A paid message.
    SuperChat {
        /// Its text, as for chat.
        text: String,
        /// What was paid, in the currency's smallest unit.
        amount_minor: u64,
        /// ISO 4217 code.
        currency: &'static str,
    },
}

/// Where a danmaku flies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Across the picture; the rare reverse direction is read as this too.
    Scroll,
    /// Stands at the top.
    Top,
    /// Stands at the bottom.
    Bottom,
}
