//! Merging of states, case by case; the client's property test covers all orders.

use serde_json::json;

use super::*;

fn state(json: &Value) -> RoomState {
    serde_json::from_value(json.clone()).unwrap()
}

fn score(version: u64, text: Option<&str>) -> Value {
    let entry = match text {
        Some(text) => json!({ "version": version, "value": { "text": text } }),
        None => json!({ "version": version }),
    };
    json!({ "attributes": { "entries": { "score": entry } } })
}

#[test]
fn the_higher_version_of_each_part_stays() {
    let settings = |version: u64, title: &str| json!({ "settings": { "version": version, "value": { "title": title } } });
    let mut known = RoomState::default();
    for change in [settings(2, "B"), settings(1, "A"), score(5, Some("1:0")), score(4, Some("0:0"))] {
        known.merge(state(&change));
    }
    assert!(!known.merge(RoomState::default()) && !known.merge(known.clone()));
    assert!(known.merge(state(&score(6, Some("1:0")))));
    assert_eq!(known.settings.as_ref().unwrap().value.as_ref().unwrap().title, "B");
    assert_eq!(known.attributes.values().map(|(_, it)| it.text.as_str()).collect::<Vec<_>>(), ["1:0"]);
}

#[test]
fn a_removed_attribute_does_not_come_back_by_an_older_change_or_state() {
    let mut known = state(&score(3, Some("1:0")));
    known.merge(state(&score(9, None)));
    known.merge(state(&score(3, Some("1:0"))));
    assert_eq!(known.attributes.values().count(), 0);
    let whole = |to: u64, entries: Value| json!({ "attributes": { "complete_to": to, "entries": entries } });
    known.merge(state(&whole(10, json!({}))));
    assert!(known.attributes.entries.is_empty(), "nothing can bring the removed entry back");
    known.merge(state(&whole(4, json!({ "score": { "version": 3, "value": { "text": "1:0" } } }))));
    known.merge(state(&score(9, Some("x"))));
    assert_eq!((known.attributes.values().count(), known.attributes.complete_to), (0, 10));
    known.merge(state(&score(11, Some("2:0"))));
    assert_eq!(known.attributes.values().count(), 1);
}

#[test]
fn a_whole_state_removes_what_it_lacks_and_keeps_what_is_newer() {
    let mut known = state(&score(3, Some("1:0")));
    let newer =
        json!({ "attributes": { "entries": { "card": { "version": 12, "value": { "text": "c" } } } } });
    known.merge(state(&newer));
    known.merge(state(&json!({ "attributes": { "complete_to": 10 } })));
    assert_eq!(known.attributes.values().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["card"]);
}

#[test]
fn removed_entries_are_bounded() {
    let mut known = RoomState::default();
    for n in 0..2 * REMOVED_MAX as u64 {
        let key = AttributeKey::parse(&format!("k{n}")).unwrap();
        let attributes = Keyed::change(key, Versioned::new(n + 1, None));
        known.merge(RoomState { attributes, ..RoomState::default() });
    }
    assert_eq!(known.attributes.entries.len(), REMOVED_MAX);
}

#[test]
fn readers_ignore_parts_of_a_newer_server() {
    let state = state(&json!({ "raffle": { "version": 1 }, "settings": { "version": 1, "new": 2 } }));
    assert_eq!(state.settings, Some(Versioned::new(1, None)));
}
