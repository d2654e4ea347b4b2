//! Figures of the generated recordings, one profile for each file.

/// A value and its share of all, 0 to 1.
#[derive(Debug, Clone, Copy)]
pub struct Share<T> {
    /// Value that this share of the entries has.
    pub value: T,
    /// Share of the value. The first entry of a list takes the remainder instead.
    pub part: f64,
}

const fn share<T>(value: T, part: f64) -> Share<T> {
    Share { value, part }
}

/// Mode of a danmaku, by the site's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Mode 1: scrolls across the picture, as most danmaku do.
    Scroll,
    /// Mode 4: fixed at the bottom of the picture.
    Bottom,
    /// Mode 4, with a drawing of several lines that is longer than a message may be.
    Drawing,
    /// Mode 5: fixed at the top of the picture.
    Top,
    /// Mode 6: scrolls in the reverse direction, which is rare.
    Reverse,
    /// Mode 7: the text is a JSON array of position, opacity, duration, text and rotation.
    Positioned,
}

impl Mode {
    /// Returns the mode as the file writes it.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Mode::Scroll => 1,
            Mode::Bottom | Mode::Drawing => 4,
            Mode::Top => 5,
            Mode::Reverse => 6,
            Mode::Positioned => 7,
        }
    }
}

/// Form of an offset in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetForm {
    /// Seconds with five decimals, such as `12.34500`.
    FiveDecimals,
    /// Seconds with one decimal, such as `12.3`.
    OneDecimal,
    /// Such as `12.340000152588`: a float of 32 bits, printed as one of 64.
    Float32,
}

/// Program that wrote the file; attributes and units of prices depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// The site's own file of a video.
    Site {
        /// Number of fields of `p`: 8, and 9 in newer files.
        fields: u8,
        /// Form of the offset, the first field of `p`.
        offset: OffsetForm,
    },
    /// `BililiveRecorder`: user names, super chats in yuan, a style sheet in the file.
    BililiveRecorder,
    /// `blrec`: user names and ids, prices in thousandths of a yuan, `<toast>` elements.
    Blrec,
}

/// Number of paid items in a recording.
#[derive(Debug, Clone, Copy, Default)]
pub struct Paid {
    /// Number of gift elements, in combos of up to eight.
    pub gifts: u32,
    /// Number of super chats, at random times of the recording.
    pub super_chats: u32,
    /// Number of bought memberships, at random times of the recording.
    pub guards: u32,
}

const NOTHING_PAID: Paid = Paid { gifts: 0, super_chats: 0, guards: 0 };

/// A growth of the rate up to the peak, as at a goal or a raid.
#[derive(Debug, Clone, Copy)]
pub struct Spike {
    /// Seconds from the usual rate to the peak.
    pub rise_secs: u32,
    /// Messages a second before the rise, on average.
    pub base_per_s: f64,
}

/// The figures of a recording. Windows of 1 s and 10 s begin at multiples of their length.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    /// File name without its extension; it also varies the seed.
    pub name: &'static str,
    /// Program whose form of the file is generated.
    pub writer: Writer,
    /// Number of danmaku, without gifts and super chats.
    pub messages: u32,
    /// Second of the last message, counted from 0.
    pub seconds: u32,
    /// Seconds with messages; between these and the last message there is nothing.
    pub active_secs: u32,
    /// Messages in the busiest second; the file has exactly this peak.
    pub peak_1s: u32,
    /// Messages in the busiest 10 s, the busiest second included.
    pub peak_10s: u32,
    /// The rise to the busiest 10 s, where it is not sudden.
    pub spike: Option<Spike>,
    /// Number of distinct senders of the danmaku.
    pub senders: u32,
    /// Share of the messages that come from the most active sender.
    pub first_sender_share: f64,
    /// Share of the senders with at most two messages.
    pub rare_senders_share: f64,
    /// Share of the messages that repeat the text of an earlier one.
    pub repeats: f64,
    /// Median length of a text in characters, positioned ones and drawings left aside.
    pub chars_p50: u32,
    /// 95th percentile of the length of a plain text in characters.
    pub chars_p95: u32,
    /// Longest plain text in characters; positioned texts and drawings may be longer.
    pub chars_max: u32,
    /// Share of the texts that consist of English words.
    pub english: f64,
    /// Shares of the modes; the first mode takes the remainder.
    pub modes: &'static [Share<Mode>],
    /// Chance that a message carries the same time as the one before it in the same second.
    pub same_stamp: f64,
    /// Gifts, super chats and memberships, beside the danmaku.
    pub paid: Paid,
}

/// The profiles of five videos, then those of two live rooms.
pub const PROFILES: &[Profile] = &[
    Profile {
        name: "vod-comedy",
        writer: Writer::Site { fields: 9, offset: OffsetForm::FiveDecimals },
        messages: 1_200,
        seconds: 180,
        active_secs: 180,
        peak_1s: 30,
        peak_10s: 234,
        spike: None,
        senders: 801,
        first_sender_share: 0.08,
        rare_senders_share: 0.955,
        repeats: 0.25,
        chars_p50: 6,
        chars_p95: 16,
        chars_max: 73,
        english: 0.03,
        modes: &[share(Mode::Scroll, 0.816), share(Mode::Top, 0.126), share(Mode::Bottom, 0.058)],
        same_stamp: 0.0,
        paid: NOTHING_PAID,
    },
    Profile {
        name: "vod-anime-music",
        writer: Writer::Site { fields: 8, offset: OffsetForm::Float32 },
        messages: 1_239,
        seconds: 220,
        active_secs: 220,
        peak_1s: 50,
        peak_10s: 91,
        spike: None,
        senders: 611,
        first_sender_share: 0.111,
        rare_senders_share: 0.845,
        repeats: 0.275,
        chars_p50: 5,
        chars_p95: 17,
        chars_max: 99,
        english: 0.05,
        modes: &[
            share(Mode::Scroll, 0.647),
            share(Mode::Positioned, 0.225),
            share(Mode::Top, 0.1),
            share(Mode::Bottom, 0.028),
        ],
        same_stamp: 0.0,
        paid: NOTHING_PAID,
    },
    Profile {
        name: "vod-drama",
        writer: Writer::Site { fields: 8, offset: OffsetForm::OneDecimal },
        messages: 1_386,
        seconds: 506,
        active_secs: 250,
        peak_1s: 21,
        peak_10s: 143,
        spike: None,
        senders: 802,
        first_sender_share: 0.03,
        rare_senders_share: 0.89,
        repeats: 0.257,
        chars_p50: 8,
        chars_p95: 25,
        chars_max: 56,
        english: 0.02,
        modes: &[share(Mode::Scroll, 0.867), share(Mode::Bottom, 0.08), share(Mode::Top, 0.053)],
        same_stamp: 0.0,
        paid: NOTHING_PAID,
    },
    Profile {
        name: "vod-concert-burst",
        writer: Writer::Site { fields: 8, offset: OffsetForm::Float32 },
        messages: 2_674,
        seconds: 287,
        active_secs: 287,
        peak_1s: 126,
        peak_10s: 203,
        spike: None,
        senders: 480,
        first_sender_share: 0.63,
        rare_senders_share: 0.796,
        repeats: 0.132,
        chars_p50: 7,
        chars_p95: 67,
        chars_max: 164,
        english: 0.05,
        modes: &[
            share(Mode::Scroll, 0.373),
            share(Mode::Positioned, 0.584),
            share(Mode::Reverse, 0.022),
            share(Mode::Bottom, 0.014),
            share(Mode::Top, 0.007),
        ],
        same_stamp: 0.0,
        paid: NOTHING_PAID,
    },
    Profile {
        name: "positioned",
        writer: Writer::Site { fields: 8, offset: OffsetForm::Float32 },
        messages: 1_104,
        seconds: 191,
        active_secs: 191,
        peak_1s: 113,
        peak_10s: 162,
        spike: None,
        senders: 1,
        first_sender_share: 1.0,
        rare_senders_share: 0.0,
        repeats: 0.228,
        chars_p50: 12,
        chars_p95: 40,
        chars_max: 60,
        english: 0.0,
        modes: &[
            share(Mode::Positioned, 0.597),
            share(Mode::Drawing, 0.335),
            share(Mode::Scroll, 0.036),
            share(Mode::Reverse, 0.032),
        ],
        same_stamp: 0.0,
        paid: NOTHING_PAID,
    },
    Profile {
        name: "live-goal",
        writer: Writer::BililiveRecorder,
        messages: 9_000,
        seconds: 420,
        active_secs: 420,
        peak_1s: 110,
        peak_10s: 850,
        spike: Some(Spike { rise_secs: 80, base_per_s: 20.0 }),
        senders: 3_600,
        first_sender_share: 0.005,
        rare_senders_share: 0.84,
        repeats: 0.58,
        chars_p50: 5,
        chars_p95: 15,
        chars_max: 30,
        english: 0.04,
        modes: &[share(Mode::Scroll, 0.97), share(Mode::Top, 0.02), share(Mode::Bottom, 0.01)],
        same_stamp: 0.3,
        paid: Paid { gifts: 400, super_chats: 25, guards: 12 },
    },
    Profile {
        name: "live-evening",
        writer: Writer::Blrec,
        messages: 4_000,
        seconds: 900,
        active_secs: 900,
        peak_1s: 20,
        peak_10s: 120,
        spike: None,
        senders: 950,
        first_sender_share: 0.02,
        rare_senders_share: 0.7,
        repeats: 0.4,
        chars_p50: 6,
        chars_p95: 18,
        chars_max: 30,
        english: 0.15,
        modes: &[share(Mode::Scroll, 0.96), share(Mode::Top, 0.02), share(Mode::Bottom, 0.02)],
        same_stamp: 0.2,
        paid: Paid { gifts: 600, super_chats: 30, guards: 20 },
    },
];
