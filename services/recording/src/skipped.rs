//! Number of skipped entries, by reason.

use std::fmt;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $field:ident $variant:ident $words:literal;)+) => {
        /// Entries that were skipped, by reason.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Skipped { $($(#[doc = $doc])+ pub $field: u64,)+ }

        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Skip { $($variant,)+ }

        impl Skipped {
            /// Returns the number of all skipped entries.
            #[must_use]
            pub fn total(&self) -> u64 {
                [$(self.$field,)+].into_iter().sum()
            }

            pub(crate) fn count(&mut self, reason: Skip) {
                match reason { $(Skip::$variant => self.$field += 1,)+ }
            }
        }

        impl fmt::Display for Skipped {
            /// Writes `12 positioned, 1 empty`, or `nothing` without a skipped entry.
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
    /// Mode 7: a drawing, placed and animated by JSON in its text.
    positioned Positioned "positioned";
    /// Mode 8: a script.
    scripted Scripted "scripted";
    /// A mode that no writer documents.
    unknown_mode UnknownMode "of an unknown mode";
    /// An attribute, or a field of `p`, that must be there and is not.
    missing_field MissingField "with a field missing";
    /// A field that is not a number, or one out of range.
    bad_field BadField "with a bad field";
    /// More attributes than allowed.
    attributes Attributes "with too many attributes";
    /// A text or name longer than allowed.
    too_long TooLong "too long";
    /// A text or a name that is blank.
    empty Empty "empty";
    /// Control characters, or such as turn the direction of what follows.
    control_characters ControlCharacters "with control characters";
    /// Bytes that are not UTF-8.
    invalid_utf8 InvalidUtf8 "not in UTF-8";
    /// An entity that XML does not define itself, or a character that is none.
    entity Entity "with a foreign entity";
    /// Elements inside an entry, an entry that is not closed, broken attributes.
    malformed Malformed "malformed";
    /// 1 when the file ends, or stops being XML, before `</i>`; the items before are kept.
    truncated Truncated "cut off at the end";
}
