//! A set of emotes with an index of their names, which is built when it is first used.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use barrage_protocol::Digest;
use barrage_protocol::emote::{Emote, EmoteKind, EmoteSet};
use bytes::Bytes;
use serde::{Serialize, Serializer};

/// Emotes of the platform or of one room. Cloning copies nothing; two are equal when their sets are.
#[derive(Clone, Default)]
pub struct EmoteWords(Arc<Inner>);

#[derive(Default)]
struct Inner {
    set: EmoteSet,
    /// Places in the set by name.
    by_name: OnceLock<HashMap<Box<str>, usize>>,
    json: OnceLock<Bytes>,
    /// Media that the set shows.
    media: OnceLock<HashSet<Digest>>,
}

impl EmoteWords {
    /// Takes a set, whose names and ids the caller has checked.
    #[must_use]
    pub fn new(set: EmoteSet) -> Self {
        EmoteWords(Arc::new(Inner { set, ..Inner::default() }))
    }

    /// Whether the set has no emote, so that no text has to be searched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.set.emotes.is_empty()
    }

    /// Returns the set as it was stored.
    #[must_use]
    pub fn set(&self) -> &EmoteSet {
        &self.0.set
    }

    /// Returns the emote for which a whole word stands.
    #[must_use]
    pub fn find(&self, word: &str) -> Option<&Emote> {
        let emotes = &self.0.set.emotes;
        if emotes.is_empty() {
            return None;
        }
        let index = || {
            let words = emotes.iter().enumerate().filter(|(_, emote)| emote.kind == EmoteKind::Emote);
            words.map(|(at, emote)| (emote.name.as_str().into(), at)).collect()
        };
        self.0.by_name.get_or_init(index).get(word).and_then(|at| emotes.get(*at))
    }

    /// Returns the media that the set shows, each once.
    #[must_use]
    pub fn media(&self) -> &HashSet<Digest> {
        let shown =
            || self.0.set.emotes.iter().filter_map(|emote| Some(emote.media.as_ref()?.digest)).collect();
        self.0.media.get_or_init(shown)
    }

    /// Returns the set as JSON, which is written once.
    #[must_use]
    pub fn json(&self) -> Bytes {
        let write = || serde_json::to_vec(&self.0.set).expect("sets are plain data").into();
        self.0.json.get_or_init(write).clone()
    }
}

impl PartialEq for EmoteWords {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.set == other.0.set
    }
}

impl std::fmt::Debug for EmoteWords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmoteWords").field("emotes", &self.0.set.emotes.len()).finish_non_exhaustive()
    }
}

impl Serialize for EmoteWords {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.set.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_whole_and_a_copy_shares_the_index() {
        let emote = |id: &str, name: &str| Emote {
            id: id.into(),
            name: name.into(),
            url: "/e.png".into(),
            px: vec![28],
            ..Emote::default()
        };
        let words = EmoteWords::new(EmoteSet { emotes: vec![emote("1", "Kap"), emote("2", "Kappa")] });
        let copy = words.clone();
        let found = |word: &str| copy.find(word).map(|emote| emote.id.as_str());
        assert_eq!(
            (found("Kap"), found("Kappa"), found("kappa"), found("Kapp")),
            (Some("1"), Some("2"), None, None)
        );
        assert!(words.0.by_name.get().is_some() && EmoteWords::default().find("Kap").is_none());
        let json: EmoteSet = serde_json::from_slice(&words.json()).unwrap();
        assert_eq!(EmoteWords::new(json), words);
        let badge = Emote { kind: EmoteKind::Badge, ..emote("3", "vip") };
        assert!(
            EmoteWords::new(EmoteSet { emotes: vec![badge] }).find("vip").is_none(),
            "a badge is no word"
        );
    }
}
