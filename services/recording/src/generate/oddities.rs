//! One file with every oddity that old and broken recordings have.

use super::{Expected, Generated};
use crate::skipped::Skipped;

/// Good entry between the odd ones: the parser must keep each copy of it.
const GOOD: &str = "<d p=\"3.5,1,25,16777215,1700000000,0,0badcafe,1\">between</d>\n";

/// Counts an entry under the reason for which the parser skips it.
type CountSkip = fn(&mut Skipped);

/// Odd entries, and the reason for which a correct parser skips each one; `None` is kept.
const ENTRIES: &[(&[u8], Option<CountSkip>)] = &[
    (b"<d>no attributes</d>", Some(|s| s.missing_field += 1)),
    (b"<d p=\"4,1,25\">three fields</d>", Some(|s| s.missing_field += 1)),
    (b"<d p=\"\">no fields</d>", Some(|s| s.missing_field += 1)),
    (b"<gift ts=\"4\" user=\"u\" giftcount=\"1\"/>", Some(|s| s.missing_field += 1)),
    (b"<sc ts=\"4\" user=\"u\" time=\"60\">no price</sc>", Some(|s| s.missing_field += 1)),
    (b"<guard user=\"u\" level=\"3\" count=\"1\"/>", Some(|s| s.missing_field += 1)),
    (b"<d p=\"soon,1,25,16777215,0,0,a,1\">offset in words</d>", Some(|s| s.bad_field += 1)),
    (b"<d p=\"1700000000,1,25,16777215,0,0,a,1\">Unix time as the offset</d>", Some(|s| s.bad_field += 1)),
    (b"<d p=\"4,1,25,-1,0,0,a,1\">negative colour</d>", Some(|s| s.bad_field += 1)),
    (b"<gift ts=\"4\" user=\"u\" giftname=\"g\" giftcount=\"-3\"/>", Some(|s| s.bad_field += 1)),
    (b"<d p=\"4,9,25,16777215,0,0,a,1\">mode nine</d>", Some(|s| s.unknown_mode += 1)),
    (b"<d p=\"4,8,25,16777215,0,0,a,1\">function run() { loop() }</d>", Some(|s| s.scripted += 1)),
    (b"<d p=\"4,7,25,16777215,0,0,a,1\">[\"10\",\"20\",\"0-1\",\"2.5\"]</d>", Some(|s| s.positioned += 1)),
    (b"<d p=\"4,7,25,16777215,0,0,a,1\">[\"10\",\"20\",</d>", Some(|s| s.positioned += 1)),
    (b"<d p=\"4,1,25,16777215,0,0,a,1\">   </d>", Some(|s| s.empty += 1)),
    (b"<d p=\"4,1,25,16777215,0,0,a,1\"/>", Some(|s| s.empty += 1)),
    (b"<d p=\"4,1,25,16777215,0,0,a,1\">bell \x07</d>", Some(|s| s.control_characters += 1)),
    (b"<d p=\"4,1,25,16777215,0,0,a,1\">escape \x1b[31m</d>", Some(|s| s.control_characters += 1)),
    (b"<d p=\"4,1,25,16777215,0,0,a,1\">turned &#x202e;over</d>", Some(|s| s.control_characters += 1)),
    (b"<d p=\"4,1,25,16777215,0,0,a,1\">latin \xe9</d>", Some(|s| s.invalid_utf8 += 1)),
    (b"<d p=\"4,1,25,16777215,0,0,a,1\">&nbsp;</d>", Some(|s| s.entity += 1)),
    (b"<d p=\"4,1,25,16777215,0,0,a,1\">&#0;</d>", Some(|s| s.entity += 1)),
    (b"<d p=\"4,1,25,16777215,0,0,a,1\"><b>bold</b></d>", Some(|s| s.malformed += 1)),
    (b"<d p=\"4,1,25,16777215,0,0,a,1\">never closed", Some(|s| s.malformed += 1)),
    // JSON as the text of an ordinary message is a text.
    (b"<d p=\"4,1,25,16777215,0,0,a,1\">{\"cmd\":\"SEND\",\"n\":[1,2]}</d>", None),
    (b"<d p=\"4,1,25,16777215,0,0,a,1\">[\"0\",\"0\",\"1-1\"]</d>", None),
    // No sender, a colour with opacity, a line break in the text, a field too many.
    (b"<d p=\"4,1,25,16777215,0,0,,1\">no sender</d>", None),
    (b"<d p=\"4,1,25,4278190335,0,0,a,1\">opacity</d>", None),
    (b"<d p=\"4,1,25,16777215,0,0,a,1\">two\nlines</d>", None),
    (b"<d p=\"4,1,25,16777215,0,0,a,1,10,extra\">ten fields</d>", None),
    (b"<d p=\"1E-05,1,25,16777215,0,0,a,1\">exponent</d>", None),
];

/// Generates the file: the odd entries between good ones, a text that is too long, and an end
/// that is cut off. It does not depend on a seed.
#[must_use]
pub fn oddities() -> Generated {
    let mut bytes = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE i>\n<i>\n".to_vec();
    let mut expected = Expected::default();
    for (entry, skip) in ENTRIES {
        bytes.extend_from_slice(GOOD.as_bytes());
        bytes.extend_from_slice(entry);
        bytes.push(b'\n');
        expected.scroll += 1;
        match skip {
            Some(count) => count(&mut expected.skipped),
            None => expected.scroll += 1,
        }
    }
    let long = format!("<d p=\"5,4,25,16777215,0,0,a,1\">{}</d>\n{GOOD}<d p=\"6,1,25,167", "长".repeat(201));
    bytes.extend_from_slice(long.as_bytes());
    expected.scroll += 1;
    expected.skipped.too_long += 1;
    expected.skipped.truncated += 1;
    Generated { file_name: "oddities.xml".into(), bytes, expected }
}
