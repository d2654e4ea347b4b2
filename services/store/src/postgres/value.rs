//! What PostgreSQL takes as a value.

use std::borrow::Cow;

/// The text without NUL, which PostgreSQL cannot keep: a gift with one in its name
/// must not stop the ledger. It becomes the character that stands for what cannot
/// be shown.
pub(super) fn text(value: &str) -> Cow<'_, str> {
    if value.contains('\0') { Cow::Owned(value.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(value) }
}
