//! Messages for services of vendors, by a template of the configuration.

use serde_json::{Number, Value};

use crate::note::{Note, NoteKind};

/// JSON of a request, with places for the parts of a notification in its strings.
#[derive(Debug, Clone, PartialEq)]
pub struct VendorTemplate {
    json: Value,
    bytes_max: usize,
}

impl VendorTemplate {
    /// Parses the text of a JSON object; `None` for any other text. Messages have at most `bytes_max` bytes.
    #[must_use]
    pub fn parse(text: &str, bytes_max: usize) -> Option<Self> {
        let json: Value = serde_json::from_str(text).ok().filter(Value::is_object)?;
        Some(VendorTemplate { json, bytes_max })
    }

    /// Returns the message for a token, with a text that is cut to fit; `None` when token and ids alone are too long.
    /// What a sender wrote stays inside its string, whatever it has in it.
    #[must_use]
    pub fn fill(&self, token: &str, note: &Note) -> Option<String> {
        note.fitted(self.bytes_max, |note| {
            let mut json = self.json.clone();
            fill(&mut json, token, note);
            json.to_string()
        })
    }
}

fn fill(value: &mut Value, token: &str, note: &Note) {
    match value {
        Value::String(text) if text == "{badge}" => *value = Value::Number(Number::from(note.badge)),
        Value::String(text) => *text = filled(text, token, note),
        Value::Array(values) => values.iter_mut().for_each(|value| fill(value, token, note)),
        Value::Object(fields) => fields.values_mut().for_each(|value| fill(value, token, note)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Replaces the places of a text in one pass: a place in what a sender wrote is text.
fn filled(text: &str, token: &str, note: &Note) -> String {
    let badge = note.badge.to_string();
    let kind = match note.kind {
        NoteKind::Letter => "letter",
        NoteKind::Mention => "mention",
        NoteKind::Live => "live",
    };
    let places = [
        ("{token}", token),
        ("{title}", &note.title),
        ("{body}", &note.body),
        ("{kind}", kind),
        ("{opens}", &note.opens),
        ("{collapse}", &note.collapse),
        ("{badge}", &badge),
    ];
    let (mut made, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('{') {
        let (before, here) = rest.split_at(at);
        made.push_str(before);
        let found = places.iter().find(|(place, _)| here.starts_with(place));
        let (place, with) = found.copied().unwrap_or(("{", "{"));
        made.push_str(with);
        rest = here.strip_prefix(place).unwrap_or_default();
    }
    made + rest
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn note(title: &str, body: &str) -> Note {
        let (collapse, opens) = ("c".into(), "d.x".into());
        Note { kind: NoteKind::Mention, title: title.into(), body: body.into(), collapse, opens, badge: 3 }
    }

    #[test]
    fn places_are_filled_and_a_senders_text_stays_text() {
        let text = r#"{"to":["{token}"],"n":"{badge}","a":{"t":"{title}: {body} {","k":"{kind}/{opens}/{collapse}/{badge}"},"x":1}"#;
        let template = VendorTemplate::parse(text, 4_096).unwrap();
        let filled = template.fill("t\"", &note("{token}\"}", "{body}\n")).unwrap();
        let filled: Value = serde_json::from_str(&filled).unwrap();
        let expected = json!({
            "to": ["t\""], "n": 3, "x": 1,
            "a": { "t": "{token}\"}: {body}\n {", "k": "mention/d.x/c/3" },
        });
        assert_eq!(filled, expected);
    }

    #[test]
    fn message_is_cut_to_the_limit_and_other_texts_are_no_template() {
        let template = VendorTemplate::parse(r#"{"to":"{token}","text":"{body}"}"#, 300).unwrap();
        let filled = template.fill("t", &note("Ann", &"\u{1f389}".repeat(2_000))).unwrap();
        assert!(filled.len() <= 300 && filled.len() > 200, "{}", filled.len());
        assert_eq!(template.fill(&"t".repeat(400), &note("Ann", "")), None);
        for bad in ["", "[]", "\"x\"", "{"] {
            assert_eq!(VendorTemplate::parse(bad, 300), None, "{bad}");
        }
    }
}
