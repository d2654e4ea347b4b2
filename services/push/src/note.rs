//! What a notification says, and how it is cut to the size that a service takes.

use serde::Serialize;

use crate::encrypt::PLAIN_BYTES_MAX;

/// What a notification is about; users switch each kind off by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// A letter, or an item of a group whose members want each.
    Letter,
    /// An item of a group that names the user.
    Mention,
    /// A host that the user follows is live.
    Live,
}

/// A notification, as the sender of each service takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// What the notification is about.
    pub kind: NoteKind,
    /// First line, such as the name of the sender.
    pub title: String,
    /// Text below it; the part that is cut first.
    pub body: String,
    /// Id that a later notification of the same conversation or stream replaces this one by, at most 64 bytes.
    pub collapse: String,
    /// Conversation or room that a click opens.
    pub opens: String,
    /// The user's total of unread items at this moment.
    pub badge: u32,
}

impl Note {
    /// Returns what `text` makes of the note, cut at a character so that it has at most `bytes_max` bytes. The title is
    /// cut when an empty body does not suffice; `None` when an empty title does not either.
    pub(crate) fn fitted(&self, bytes_max: usize, text: impl Fn(&Note) -> String) -> Option<String> {
        let mut note = self.clone();
        loop {
            let shown = text(&note);
            let Some(over) = shown.len().checked_sub(bytes_max).filter(|over| *over > 0) else {
                return Some(shown);
            };
            let part = if note.body.is_empty() { &mut note.title } else { &mut note.body };
            if part.is_empty() {
                return None;
            }
            // A character may be six bytes of JSON for one here: what is left is measured again.
            let keep = part.len().saturating_sub(over.div_ceil(6).max(1) + '\u{2026}'.len_utf8());
            part.truncate(part.floor_char_boundary(keep));
            if !part.is_empty() {
                part.push('\u{2026}');
            }
        }
    }
}

/// Returns the text that a browser's service worker gets: the note in JSON, cut to fit; `None` when its ids alone are too
/// long.
#[must_use]
pub fn web_text(note: &Note) -> Option<String> {
    note.fitted(PLAIN_BYTES_MAX, |note| serde_json::to_string(note).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn note(title: &str, body: &str) -> Note {
        let (collapse, opens) = ("c".into(), "d.x".into());
        Note { kind: NoteKind::Letter, title: title.into(), body: body.into(), collapse, opens, badge: 3 }
    }

    fn json(note: &Note) -> String {
        serde_json::to_string(note).unwrap()
    }

    #[test]
    fn note_that_fits_is_not_changed_and_one_that_never_fits_is_none() {
        let short = note("Ann", "hello");
        assert_eq!(short.fitted(4_096, json), Some(json(&short)));
        assert_eq!(short.fitted(20, json), None);
    }

    #[test]
    fn body_is_cut_before_the_title_and_at_a_character() {
        let text = note("Ann", &"\u{1f389}".repeat(2_000)).fitted(1_000, json).unwrap();
        let cut: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(text.len() <= 1_000 && text.len() > 900, "{}", text.len());
        assert_eq!(cut["title"], "Ann");
        assert!(cut["body"].as_str().unwrap().ends_with("\u{1f389}\u{2026}"));
    }

    proptest! {
        #[test]
        fn every_text_is_cut_to_the_limit_and_stays_json(title in ".{0,200}", body in ".{0,900}", max in 120_usize..900) {
            let text = note(&title, &body).fitted(max, json).unwrap();
            prop_assert!(text.len() <= max);
            let cut: serde_json::Value = serde_json::from_str(&text).unwrap();
            let kept = cut["body"].as_str().unwrap().trim_end_matches('\u{2026}').to_owned();
            prop_assert!(body.starts_with(&kept));
        }
    }
}
