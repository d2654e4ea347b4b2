//! One event of the recorded room.

/// One entry of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Milliseconds since the stream (or the video) began.
    pub offset_ms: u64,
    /// Sender: the user name if the recorder wrote one, else the site's hash of the user's number. May
    /// be empty in old files.
    pub sender: String,
    /// Kind of the event, with its fields.
    pub kind: ItemKind,
}

/// Kind of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemKind {
    /// Danmaku that flies over the video.
    Chat {
        /// Text without control or bidirectional characters, not blank.
        text: String,
        /// Place and movement on the screen.
        mode: Mode,
        /// RGB, 0 to 16,777,215.
        color: u32,
        /// Height in the site's pixels: 25 is normal, 18 small, 36 large.
        size_px: u32,
    },
    /// Gift, or a membership ("guard").
    Gift {
        /// Name of the gift.
        name: String,
        /// Number of gifts, 1 to 1,000,000.
        count: u32,
        /// Price of one in fen (1/100 yuan); 0 when free or not recorded.
        price_minor: u64,
    },
    /// Paid message that stays on the screen.
    SuperChat {
        /// Text, with the rules of chat.
        text: String,
        /// Price in the currency's smallest unit.
        amount_minor: u64,
        /// Currency as an ISO 4217 code.
        currency: &'static str,
    },
}

/// Place and movement of a danmaku.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Moves across the picture; the rare reverse direction is read as this one.
    Scroll,
    /// Stands at the top.
    Top,
    /// Stands at the bottom.
    Bottom,
}
