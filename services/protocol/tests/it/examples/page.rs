//! A page of the reference, with its fenced examples.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reference of requests, answers and frames.
pub(crate) const PROTOCOL: Page = Page(include_str!("../../../../../docs/reference/protocol.md"));
/// Reference of the review queue and of word lists.
pub(crate) const REVIEWS: Page = Page(include_str!("../../../../../docs/reference/protocol-reviews.md"));

/// Text of a page.
pub(crate) struct Page(pub(crate) &'static str);

/// A fenced block that opens with "```json TAG".
pub(crate) struct Example {
    /// Number of the line of the fence.
    pub(crate) line: usize,
    pub(crate) tag: &'static str,
    pub(crate) text: String,
}

impl Page {
    /// Returns all examples of the page. Every block but `text` must have a tag.
    pub(crate) fn examples(&self) -> Vec<Example> {
        let mut examples = Vec::new();
        let mut lines = self.0.lines().enumerate();
        while let Some((number, fence)) = lines.next() {
            let Some(fence) = fence.strip_prefix("```") else { continue };
            let body: Vec<_> =
                lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
            if fence == "text" {
                continue;
            }
            let line = number + 1;
            let tag = fence.strip_prefix("json ").unwrap_or_else(|| panic!("line {line}: untagged example"));
            examples.push(Example { line, tag, text: body.join("\n") });
        }
        examples
    }

    /// Returns the examples of a tag, which are at least one.
    pub(crate) fn tagged(&self, wanted: &str) -> Vec<Example> {
        let found: Vec<_> = self.examples().into_iter().filter(|example| example.tag == wanted).collect();
        assert!(!found.is_empty(), "no example is tagged {wanted}");
        found
    }

    /// Reads every example of a tag as a type.
    pub(crate) fn read<T: Serialize + DeserializeOwned>(&self, tag: &str) -> Vec<T> {
        self.tagged(tag).iter().map(Example::read).collect()
    }
}

impl Example {
    /// Returns the example as JSON.
    pub(crate) fn value(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("line {}: {error}", self.line))
    }

    /// Reads the example as a type, which must keep every field.
    pub(crate) fn read<T: Serialize + DeserializeOwned>(&self) -> T {
        check(self.line, &self.text, serde_json::from_str(&self.text))
    }
}

/// Returns what was read from an example's text, after a check that every field was kept.
pub(crate) fn check<T: Serialize, E: Debug>(line: usize, text: &str, read: Result<T, E>) -> T {
    let read = read.unwrap_or_else(|error| panic!("line {line}: {error:?}"));
    let example: Value = serde_json::from_str(text).expect("what a type was read from is JSON");
    let written = serde_json::to_value(&read).expect("the protocol's types are plain data");
    assert!(keeps(&example, &written), "line {line}: a field was not understood:\n{example}\n{written}");
    read
}

/// Returns whether `read` has every field of `example` with the same value; `read` may have defaults
/// besides.
fn keeps(example: &Value, read: &Value) -> bool {
    match (example, read) {
        (Value::Object(example), Value::Object(read)) => {
            example.iter().all(|(key, value)| read.get(key).is_some_and(|read| keeps(value, read)))
        }
        (Value::Array(example), Value::Array(read)) => {
            example.len() == read.len()
                && example.iter().zip(read).all(|(example, read)| keeps(example, read))
        }
        (example, read) => example == read,
    }
}
