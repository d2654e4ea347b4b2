//! The page of letters: every example is what its type writes.

use barrage_protocol::inbox::{
    GroupAnswer, GroupSettings, InboxAnswer, ItemsPage, LetterAnswer, LetterRequest, Preferences,
    ReadsRequest, View,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

const PAGE: &str = include_str!("../../../../../docs/reference/protocol-letters.md");

/// Reads the example as a type and writes it again: it must be the same.
fn same<T: DeserializeOwned + Serialize>(text: &str) {
    let read: T = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let example: Value = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), example);
}

#[test]
fn every_example_is_what_the_types_write() {
    let mut lines = PAGE.lines();
    let mut count = 0;
    while let Some(line) = lines.next() {
        let Some(tag) = line.strip_prefix("```json ") else { continue };
        let text: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        let text = text.join("\n");
        match tag {
            "letter" => same::<LetterRequest>(&text),
            "letter-answer" => same::<LetterAnswer>(&text),
            "inbox" => same::<InboxAnswer>(&text),
            "items" => same::<ItemsPage>(&text),
            "reads" => same::<ReadsRequest>(&text),
            "view" => same::<View>(&text),
            "preferences" => same::<Preferences>(&text),
            "group" => same::<GroupSettings>(&text),
            "group-answer" => same::<GroupAnswer>(&text),
            other => panic!("no type is known for {other}"),
        }
        count += 1;
    }
    assert_eq!(count, 13);
}
