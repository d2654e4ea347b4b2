//! Numbers of skipped entries by reason.

use std::fmt;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $field:ident $variant:ident $words:literal;)+) => {
        /// Entries that were skipped, by reason.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Skipped { $($(#[doc = $doc])+ pub $field: u64,)+ }

        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Skip { $($variant,)+ }

        impl Skipped {
            /// Returns the total over all reasons.
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
    /// Mode 7: a drawing, positioned and animated by JSON in its text.
    positioned Positioned "positioned";
    /// Mode 8, which is a script.
    scripted Scripted "scripted";
    /// A mode without a known meaning.
    unknown_mode UnknownMode "of an unknown mode";
    /// A required attribute or field of `p` is missing.
    missing_field MissingField "with a field missing";
    /// A field is no number, or is out of range.
    bad_field BadField "with a bad field";
    /// The entry has too many attributes.
    attributes Attributes "with too many attributes";
    /// A text or name is too long.
    too_long TooLong "too long";
    /// A text or name is blank.
    empty Empty "empty";
    /// Control characters, or characters that change the direction of text.
    control_characters ControlCharacters "with control characters";
    /// Bytes are not UTF-8.
    invalid_utf8 InvalidUtf8 "not in UTF-8";
    /// An entity that XML does not define, or an invalid character reference.
    entity Entity "with a foreign entity";
    /// Elements inside of an entry, an entry without an end, or broken attributes.
    malformed Malformed "malformed";
    /// 1 when the file ends, or is no XML any more, before `</i>`. Earlier entries are kept.
    truncated Truncated "cut off at the end";
}
