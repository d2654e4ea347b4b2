//! What a notification says. Pure.

use barrage_inbox::{ItemKind, Kind, LetterKind};
use barrage_push::{Note, NoteKind};
use barrage_store::{Due, NewCampaign, PushKind};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Bytes of the hash that is the collapse id: 32 characters, which is the most that a `Topic` of Web Push may have.
const COLLAPSE_BYTES: usize = 24;

/// Returns the note of a row: sender or group as the title, the newest text as the body. `None` when everything that the
/// row is about was recalled or hidden.
pub(crate) fn of_row(due: &Due) -> Option<Note> {
    let stored = due.item.as_ref()?;
    let body: Value = serde_json::from_str(&stored.item.body).unwrap_or_default();
    let field = |name: &str| body[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let sender = field("name").unwrap_or_else(|| stored.sender.to_string());
    let text = match stored.item.kind {
        ItemKind::Letter(LetterKind::Text) => field("text").unwrap_or_default(),
        // Words of the field, which an app puts into its own language.
        ItemKind::Letter(LetterKind::Sticker) => "[sticker]".into(),
        ItemKind::Letter(LetterKind::Image) => "[image]".into(),
        ItemKind::Letter(LetterKind::File) => "[file]".into(),
        ItemKind::Recall => String::new(),
    };
    let (title, body) = match due.conversation.id.kind() {
        Kind::Direct => (sender, text),
        Kind::Group => (due.conversation.settings.title.clone(), format!("{sender}: {text}")),
    };
    let opens = due.conversation.id.to_string();
    Some(Note {
        kind: kind(due.kind),
        title,
        body,
        collapse: collapse("conversation", &opens),
        opens,
        badge: badge(due.total),
    })
}

/// Returns the note of a host who is live.
pub(crate) fn of_live(about: &NewCampaign, total: u64) -> Note {
    Note {
        kind: NoteKind::Live,
        title: about.host.to_string(),
        body: about.title.clone(),
        collapse: collapse("stream", &about.id),
        opens: about.room.clone(),
        badge: badge(total),
    }
}

pub(crate) fn kind(kind: PushKind) -> NoteKind {
    match kind {
        PushKind::Letter => NoteKind::Letter,
        PushKind::Mention => NoteKind::Mention,
    }
}

fn badge(total: u64) -> u32 {
    u32::try_from(total).unwrap_or(u32::MAX)
}

/// Returns the id by which a later notification of the same thing replaces this one.
fn collapse(of: &str, id: &str) -> String {
    let hash = Sha256::new().chain_update(of).chain_update("\n").chain_update(id).finalize();
    BASE64_URL_SAFE_NO_PAD.encode(&hash[..COLLAPSE_BYTES])
}
