//! Numbers of skipped entries by reason, and words for each reason.

use std::fmt;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $field:ident $variant:ident $words:literal;)+) => {
        /// Entries that the parser skipped, counted by reason.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Skipped { $($(#[doc = $doc])+ pub $field: u64,)+ }

        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Skip { $($variant,)+ }

        impl Skipped {
            /// Returns the number of skipped entries over all reasons.
            #[must_use]
            pub fn total(&self) -> u64 {
                [$(self.$field,)+].into_iter().sum()
            }

            pub(crate) fn count(&mut self, reason: Skip) {
                match reason { $(Skip::$variant => self.$field += 1,)+ }
            }
        }

        impl fmt::Display for Skipped {
            /// Writes `12 positioned, 1 empty`, or `nothing`.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut comma = "";
                $(if self.$field > 0 {
                    write!(f, "{comma}{} {}", self.$field, $words)?;
                    comma = ", ";
                })+
                if comma.is_empty() { f.write_str("nothing") } else { Ok(()) }
            }
        }
    };
}

reasons! {
    /// Mode 7 without a position: its text is not the JSON array that this mode has.
    positioned Positioned "positioned";
    /// Mode 8: the text is a script, which is never run.
    scripted Scripted "scripted";
    /// A mode outside of 1 to 8, without a known meaning.
    unknown_mode UnknownMode "of an unknown mode";
    /// A required attribute or field of `p` is missing.
    missing_field MissingField "with a field missing";
    /// A field is no number, or is out of range.
    bad_field BadField "with a bad field";
    /// The entry has more attributes than [`crate::Limits::attributes_max`].
    attributes Attributes "with too many attributes";
    /// A text or name is too long.
    too_long TooLong "too long";
    /// A text, or the name of a gift, is blank.
    empty Empty "empty";
    /// Control characters, or characters that change the direction of text.
    control_characters ControlCharacters "with control characters";
    /// The text or an attribute that is read has bytes that are not UTF-8.
    invalid_utf8 InvalidUtf8 "not in UTF-8";
    /// An entity that XML does not define, or an invalid character reference.
    entity Entity "with a foreign entity";
    /// Elements inside of an entry, an entry without an end, or broken attributes.
    malformed Malformed "malformed";
    /// 1 when the file ends, or is no XML any more, before `</i>`. Earlier entries are kept.
    truncated Truncated "cut off at the end";
}
