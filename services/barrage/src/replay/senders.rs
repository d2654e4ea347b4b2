//! Sender and post of each entry of a recording.

use barrage_protocol::UserId;
use barrage_protocol::post::Post;
use barrage_recording::{Item, Recording, convert};
use barrage_token::{Identity, Role, Rooms};
use sha2::{Digest, Sha256};

use super::pseudonym;

/// Messages per pseudonym on average, in a recording that does not distinguish senders.
const MESSAGES_PER_SENDER: usize = 3;

/// Returns the user that posts an entry, one user for each name.
///
/// A recording without names has hashes of its senders, from which pseudonyms are made. A recording
/// without hashes gets a third as many senders as messages.
pub(super) fn sender(item: &Item, index: usize, recording: &Recording) -> Option<Identity> {
    let (key, name) = match item.sender.as_str() {
        name if recording.has_names && !name.is_empty() => (name.to_owned(), name.to_owned()),
        hash if pseudonym::is_anonymous(hash) => {
            let senders = recording.items.len().div_ceil(MESSAGES_PER_SENDER).max(1);
            // The step shares no factor with most numbers, so that neighbours differ.
            let key = format!("crowd-{}", index.wrapping_mul(7_919) % senders);
            let name = pseudonym::of(&key);
            (key, name)
        }
        hash => (hash.to_owned(), pseudonym::of(hash)),
    };
    let digest = Sha256::digest(key.as_bytes());
    let hash: String = digest[..5].iter().map(|byte| format!("{byte:02x}")).collect();
    let user: UserId = format!("replay-{hash}").parse().ok()?;
    Some(Identity {
        user,
        name,
        role: Role::Viewer,
        rooms: Rooms(vec!["*".into()]),
        expires_at_secs: u64::MAX,
        issued_at_secs: None,
        attrs: None,
    })
}

/// Returns the post of an entry; `None` when its id is not valid.
pub(super) fn post(item: &Item, id: &str) -> Option<Post> {
    Some(convert::post(&item.kind, id.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use barrage_recording::Limits;

    use super::*;

    fn recording(count: usize, hash: &str, attributes: &str) -> Recording {
        let entry =
            |n: usize| format!(r#"<d p="{n},1,25,16777215,0,0,{hash},{n}" {attributes}>text {n}</d>"#);
        let entries: String = (0..count).map(entry).collect();
        barrage_recording::parse(format!("<i>{entries}</i>").as_bytes(), &Limits::default()).unwrap()
    }

    fn senders(recording: &Recording) -> Vec<Identity> {
        let items = recording.items.iter().enumerate();
        items.map(|(index, item)| sender(item, index, recording).unwrap()).collect()
    }

    #[test]
    fn hash_of_a_sender_becomes_one_pseudonym() {
        let by_hash = senders(&recording(3, "5bd04b14", ""));
        assert_eq!(by_hash[0].name, pseudonym::of("5bd04b14"));
        assert!(by_hash.iter().all(|by| by.user == by_hash[0].user));
    }

    #[test]
    fn recording_without_hashes_gets_a_third_as_many_senders_as_messages() {
        let senders = senders(&recording(300, "0", ""));
        let users: HashSet<_> = senders.iter().map(|by| by.user.clone()).collect();
        assert_eq!(users.len(), 100);
        assert!(senders.iter().all(|by| by.name != "0" && !by.name.is_empty()));
    }

    #[test]
    fn recorded_names_are_kept() {
        let named = senders(&recording(2, "0", r#"user="夜航船""#));
        assert!(named.iter().all(|by| by.name == "夜航船"));
    }
}
