//! The elements of a file, as the three writers write them.

use std::fmt::Write;

use quick_xml::escape::escape;
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::Expected;
use super::profile::{Mode, OffsetForm, Profile, Writer};

/// Seconds of the Unix time at which every generated recording begins.
const BEGAN_UNIX_SECS: u64 = 1_700_000_000;
const WHITE: u32 = 0xff_ffff;
const COLORS: &[u32] =
    &[0xff_0000, 0xe7_0012, 0xff_9900, 0x00_cd00, 0x41_94ff, 0xff_00ff, 0x00_0000, 0x99_9999];

/// Gifts: name, price of one in thousandths of a yuan, whether they are free.
const GIFTS: &[(&str, u64, bool)] = &[
    ("小星星", 100, false),
    ("荧光棒", 0, true),
    ("火箭", 500_000, false),
    ("花束", 1_000, false),
    ("气球", 5_000, false),
];
/// Memberships: level, name, price in thousandths of a yuan.
const GUARDS: &[(u8, &str, u64)] =
    &[(3, "舰长", 198_000), (3, "舰长", 138_000), (2, "提督", 1_998_000), (1, "总督", 19_998_000)];
const FIRST: &[&str] = &["夜", "小", "老", "云", "海", "阿", "南", "北", "雨", "晚"];
const LAST: &[&str] = &["航船", "土豆", "月亮", "汽水", "山人", "兔子", "灯塔", "纸鹤", "风车", "栗子"];

/// One element of a file, before it is written in the form of a writer.
#[derive(Debug, Clone)]
pub(super) struct Element {
    pub(super) offset_ms: u64,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Danmaku(Danmaku),
    Gift { sender: u32, name: &'static str, count: u32, price: u64, is_free: bool },
    SuperChat { sender: u32, text: String, yuan: u32 },
    Guard { sender: u32, level: u8, name: &'static str, price: u64 },
}

#[derive(Debug, Clone)]
pub(super) struct Danmaku {
    mode: Mode,
    sender: u32,
    text: String,
    size_px: u32,
    color: u32,
}

impl Danmaku {
    pub(super) fn new(mode: Mode, sender: u32, text: String, rng: &mut StdRng) -> Self {
        let size_px = match mode {
            Mode::Positioned => *[25, 45, 64, 120, 20].choose(rng).unwrap_or(&25),
            Mode::Drawing => 4,
            Mode::Scroll | Mode::Bottom | Mode::Top | Mode::Reverse => {
                *[25, 25, 25, 25, 25, 25, 25, 25, 18, 36].choose(rng).unwrap_or(&25)
            }
        };
        let color = if rng.random_bool(0.7) { WHITE } else { *COLORS.choose(rng).unwrap_or(&WHITE) };
        Danmaku { mode, sender, text, size_px, color }
    }
}

/// The gifts, super chats and memberships of a profile. A gift is given in a combo.
pub(super) fn paid(profile: &Profile, rng: &mut StdRng) -> Vec<Element> {
    let span_ms = u64::from(profile.active_secs) * 1_000;
    let mut paid = Vec::new();
    let mut gifts_left = profile.paid.gifts;
    while gifts_left > 0 {
        let (sender, at) = (rng.random_range(0..profile.senders), rng.random_range(0..span_ms));
        let &(name, price, is_free) = GIFTS.choose(rng).unwrap_or(&GIFTS[0]);
        let combo = rng.random_range(1..=8_u32).min(gifts_left);
        gifts_left -= combo;
        for n in 0..combo {
            let count = *[1, 1, 1, 5, 10, 66].choose(rng).unwrap_or(&1);
            let offset_ms = (at + u64::from(n) * 400).min(span_ms - 1);
            paid.push(Element { offset_ms, kind: Kind::Gift { sender, name, count, price, is_free } });
        }
    }
    for n in 0..profile.paid.super_chats {
        let yuan = *[30, 30, 30, 50, 100, 500, 2_000].choose(rng).unwrap_or(&30);
        let text = format!("第{n}封信：今晚的灯光很好看，谢谢 & 再见");
        let kind = Kind::SuperChat { sender: rng.random_range(0..profile.senders), text, yuan };
        paid.push(Element { offset_ms: rng.random_range(0..span_ms), kind });
    }
    for _ in 0..profile.paid.guards {
        let &(level, name, price) = GUARDS.choose(rng).unwrap_or(&GUARDS[0]);
        let kind = Kind::Guard { sender: rng.random_range(0..profile.senders), level, name, price };
        paid.push(Element { offset_ms: rng.random_range(0..span_ms), kind });
    }
    paid
}

/// The file up to its first entry.
pub(super) fn header(writer: Writer) -> String {
    match writer {
        Writer::Site { .. } => "<?xml version=\"1.0\" encoding=\"UTF-8\"?><i><chatserver>chat.example</chatserver>\
            <chatid>1</chatid><mission>0</mission><maxlimit>3000</maxlimit><source>k-v</source>\n"
            .into(),
        Writer::BililiveRecorder => "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
            <?xml-stylesheet type=\"text/xsl\" href=\"#s\"?>\n<i><!-- generated --><chatserver>chat.example</chatserver>\n\
            <BililiveRecorder version=\"2.0.0\" /><BililiveRecorderRecordInfo roomid=\"1\" name=\"host\" />\n\
            <BililiveRecorderXmlStyle><z:stylesheet><z:template match=\"/\"><html><body><table>\
            <z:for-each select=\"/i/d\"><tr><td><z:value-of select=\"@user\"/></td></tr></z:for-each>\
            </table></body></html></z:template></z:stylesheet></BililiveRecorderXmlStyle>\n"
            .into(),
        Writer::Blrec => "<?xml version='1.0' encoding='utf8'?>\n<i><metadata><user_name>host</user_name>\
            <room_id>1</room_id><recorder>blrec</recorder></metadata>\n"
            .into(),
    }
}

impl Element {
    pub(super) fn offset_ms(&self) -> u64 {
        self.offset_ms
    }

    /// Counts the element as a correct parser does.
    pub(super) fn count(&self, expected: &mut Expected) {
        match &self.kind {
            Kind::Danmaku(danmaku) => match danmaku.mode {
                Mode::Scroll | Mode::Reverse => expected.scroll += 1,
                Mode::Top => expected.top += 1,
                Mode::Bottom => expected.bottom += 1,
                Mode::Positioned => expected.placed += 1,
                Mode::Drawing => expected.skipped.too_long += 1,
            },
            Kind::Gift { .. } | Kind::Guard { .. } => expected.gifts += 1,
            Kind::SuperChat { .. } => expected.super_chats += 1,
        }
    }

    /// Appends the element. `row` is its row id.
    pub(super) fn write(&self, writer: Writer, row: usize, out: &mut String) {
        let written = match &self.kind {
            Kind::Danmaku(danmaku) => self.write_danmaku(danmaku, writer, row, out),
            paid => self.write_paid(paid, writer, out),
        };
        written.expect("writing to memory cannot fail");
    }

    fn write_danmaku(
        &self,
        danmaku: &Danmaku,
        writer: Writer,
        row: usize,
        out: &mut String,
    ) -> std::fmt::Result {
        let Danmaku { mode, sender, text, size_px, color } = danmaku;
        let unix = BEGAN_UNIX_SECS + self.offset_ms / 1_000;
        let head = format!("{},{},{size_px},{color}", self.offset(writer), mode.number());
        let text = escape(text.as_str());
        match writer {
            Writer::Site { fields, .. } => {
                let hash = sender_hash(*sender);
                let weight = if fields > 8 { ",10" } else { "" };
                writeln!(out, r#"<d p="{head},{unix},0,{hash},{}{weight}">{text}</d>"#, 30_000_000 + row)
            }
            Writer::BililiveRecorder => writeln!(
                out,
                r#"  <d p="{head},{unix}000,0,{},0" user="{}" raw="[[0,{},25],&quot;&quot;,[{sender},&quot;&quot;]]">{text}</d>"#,
                10_000 + sender,
                user_name(*sender),
                mode.number()
            ),
            Writer::Blrec => writeln!(
                out,
                r#"  <d p="{head},{unix}000,0,{},{row}" uid="{}" user="{}">{text}</d>"#,
                sender_hash(*sender),
                10_000 + sender,
                user_name(*sender)
            ),
        }
    }

    fn write_paid(&self, paid: &Kind, writer: Writer, out: &mut String) -> std::fmt::Result {
        let ts = self.offset(writer);
        let who = |sender: &u32| match writer {
            Writer::Blrec => format!(r#"uid="{}" user="{}""#, 10_000 + sender, user_name(*sender)),
            Writer::Site { .. } | Writer::BililiveRecorder => format!(r#"user="{}""#, user_name(*sender)),
        };
        let is_blrec = writer == Writer::Blrec;
        match paid {
            Kind::Danmaku(_) => Ok(()),
            Kind::Gift { sender, name, count, price, is_free } => {
                write!(out, r#"  <gift ts="{ts}" {} giftname="{name}" giftcount="{count}""#, who(sender))?;
                if is_blrec {
                    let coin = if *is_free { "银瓜子" } else { "金瓜子" };
                    write!(out, r#" cointype="{coin}" price="{price}""#)?;
                }
                writeln!(out, " />")
            }
            Kind::SuperChat { sender, text, yuan } => {
                let price = if is_blrec { yuan * 1_000 } else { *yuan };
                writeln!(
                    out,
                    r#"  <sc ts="{ts}" {} price="{price}" time="60">{}</sc>"#,
                    who(sender),
                    escape(text.as_str())
                )
            }
            Kind::Guard { sender, level, name, price } if is_blrec => {
                let who = who(sender);
                writeln!(
                    out,
                    r#"  <guard ts="{ts}" {who} giftname="{name}" count="1" price="{price}" level="{level}" />"#
                )?;
                writeln!(
                    out,
                    r#"  <toast ts="{ts}" {who} unit="月" count="1" price="{price}" role="{name}" level="{level}">续费</toast>"#
                )
            }
            Kind::Guard { sender, level, .. } => {
                writeln!(out, r#"  <guard ts="{ts}" {} level="{level}" count="1" />"#, who(sender))
            }
        }
    }

    /// The offset in seconds, in the writer's form.
    fn offset(&self, writer: Writer) -> String {
        let secs = self.offset_ms as f64 / 1_000.0;
        match writer {
            Writer::Site { offset: OffsetForm::FiveDecimals, .. } => format!("{secs:.5}"),
            Writer::Site { offset: OffsetForm::OneDecimal, .. } => format!("{secs:.1}"),
            Writer::Site { offset: OffsetForm::Float32, .. } => format!("{:.12}", f64::from(secs as f32)),
            Writer::BililiveRecorder | Writer::Blrec => format!("{secs:.3}"),
        }
    }
}

/// A sender of the site: eight hexadecimal digits; old ones begin with `D`.
fn sender_hash(sender: u32) -> String {
    let mixed = sender.wrapping_mul(0x9e37_79b1) ^ 0x5bd1_e995;
    if sender % 5 == 4 { format!("D{mixed:08x}") } else { format!("{mixed:08x}") }
}

fn user_name(sender: u32) -> String {
    let (first, last) = (FIRST[sender as usize % FIRST.len()], LAST[sender as usize / 10 % LAST.len()]);
    format!("{first}{last}{}", sender / 100)
}
