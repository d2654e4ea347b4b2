//! Splits a body into its form and its values, and joins them again. Pure.

use super::{HOLE, TIME_HOLE};
use crate::{Class, MessageId};

/// Body as a line has it: form and values. Time is apart, because a line has the difference.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Split {
    /// Class, then the JSON with a mark for each value.
    pub(super) form: String,
    /// Each value behind a separator.
    pub(super) values: String,
    /// Value of the field `at_ms`, whose place the form marks; `None` when the body has none.
    pub(super) at_ms: Option<u64>,
}

/// Largest time that is counted from another one: a whole number that JSON readers keep exact.
const AT_MS_MAX: u64 = (1 << 53) - 1;

/// Splits the body of a message; `None` for a body that is no object in compact JSON. `id` is the id that
/// its sender chose: the form of a chat leaves it out.
pub(super) fn split(class: Class, id: Option<&MessageId>, body: &str) -> Option<Split> {
    if body.bytes().any(|byte| byte < b' ') {
        return None;
    }
    let mut rest = body.strip_prefix('{')?;
    let mut split = Split { form: format!("{}{{", class.label()), values: String::new(), at_ms: None };
    let mut is_first = true;
    while rest != "}" {
        if !std::mem::take(&mut is_first) {
            rest = rest.strip_prefix(',')?;
        }
        let (key, behind) = take_string(rest)?;
        let (value, behind) = take_value(behind.strip_prefix(':')?)?;
        rest = behind;
        let is_own_id =
            class == Class::Chat && key == "id" && id.is_some_and(|id| inner(value) == Some(id.as_str()));
        if !is_own_id {
            split.add(key, value);
        }
    }
    split.form.push('}');
    Some(split)
}

impl Split {
    fn add(&mut self, key: &str, value: &str) {
        if !self.form.ends_with('{') {
            self.form.push(',');
        }
        self.form.push_str(&format!("\"{key}\":"));
        let at_ms = whole_number(value).filter(|_| key == "at_ms" && self.at_ms.is_none());
        if at_ms.is_some() {
            self.at_ms = at_ms;
            self.form.push(char::from(TIME_HOLE));
        } else if key == "type" {
            self.form.push_str(value);
        } else {
            self.values.push(char::from(HOLE));
            match inner(value) {
                Some(inner) => {
                    self.form.push_str("\"\t\"");
                    self.values.push_str(inner);
                }
                None => {
                    self.form.push(char::from(HOLE));
                    self.values.push_str(value);
                }
            }
        }
    }
}

/// Writes the body of a form behind `out`; `None` when the values do not fit the form.
pub(super) fn join<'a>(
    out: &mut String,
    form: &str,
    at_ms: u64,
    mut values: impl Iterator<Item = &'a str>,
) -> Option<()> {
    let is_mark = |c: char| c == char::from(HOLE) || c == char::from(TIME_HOLE);
    let mut rest = form;
    while let Some(at) = rest.find(is_mark) {
        out.push_str(&rest[..at]);
        if rest.as_bytes()[at] == HOLE {
            out.push_str(values.next()?);
        } else {
            out.push_str(&at_ms.to_string());
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    values.next().is_none().then_some(())
}

/// Returns what stands between the quotes of a string; `None` for another value.
fn inner(value: &str) -> Option<&str> {
    value.strip_prefix('"')?.strip_suffix('"')
}

fn whole_number(value: &str) -> Option<u64> {
    let is_plain =
        value.bytes().all(|byte| byte.is_ascii_digit()) && (value == "0" || !value.starts_with('0'));
    value.parse().ok().filter(|number| is_plain && *number <= AT_MS_MAX)
}

/// Cuts a JSON string off: what is between its quotes, and what follows.
fn take_string(json: &str) -> Option<(&str, &str)> {
    let text = json.strip_prefix('"')?;
    let end = end_of_string(text.as_bytes())?;
    Some((&text[..end], &text[end + 1..]))
}

/// Returns the place of the quote that ends a string.
fn end_of_string(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}

/// Cuts a JSON value off, up to the comma or brace that follows it in an object.
fn take_value(json: &str) -> Option<(&str, &str)> {
    let bytes = json.as_bytes();
    let (mut at, mut depth) = (0, 0_u32);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at += end_of_string(&bytes[at + 1..])? + 1,
            b'{' | b'[' => depth += 1,
            b'}' | b',' if depth == 0 => break,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        at += 1;
    }
    (at > 0 && at < bytes.len()).then(|| json.split_at(at))
}
