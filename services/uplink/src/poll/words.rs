//! Chat that is a vote. Pure.

use barrage_protocol::poll::Poll;

/// Returns the number of the option that a chat votes for: the text is the number of an option, or the
/// option itself, and nothing else.
pub(super) fn option_of(poll: &Poll, text: &str) -> Option<u8> {
    let text = text.trim();
    let by_number = number(text).filter(|number| (1..=poll.options.len()).contains(number));
    let by_text = || poll.options.iter().position(|option| option.to_lowercase() == text.to_lowercase());
    // An option that is a number itself is meant by its text.
    let of_text = by_text().map(|index| index + 1);
    of_text.or(by_number).and_then(|number| u8::try_from(number).ok())
}

/// Parses a number of one or two digits, also in the full width of Chinese and Japanese keyboards.
fn number(text: &str) -> Option<usize> {
    let digit = |c: char| match c {
        '0'..='9' => c.to_digit(10),
        '０'..='９' => Some(c as u32 - '０' as u32),
        _ => None,
    };
    if text.chars().count() > 2 {
        return None;
    }
    let digits = text.chars().map(digit).collect::<Option<Vec<_>>>()?;
    let value = digits.iter().fold(0, |value, digit| value * 10 + digit);
    (!digits.is_empty()).then_some(value as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(options: &[&str]) -> Poll {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let (question, opened_ms, ends_ms) = ("?".into(), 0, 1);
        Poll { id: "p".parse().unwrap(), question, options, opened_ms, ends_ms, guests: true, words: true }
    }

    #[test]
    fn a_vote_is_the_number_or_the_text_alone() {
        let poll = poll(&["Left", "右"]);
        for (text, option) in [
            ("1", Some(1)),
            ("2", Some(2)),
            ("２", Some(2)),
            (" 1 ", Some(1)),
            ("left", Some(1)),
            ("右", Some(2)),
            ("01", Some(1)),
            ("3", None),
            ("0", None),
            ("1!", None),
            ("11", None),
            ("111", None),
            ("", None),
            ("go left", None),
            ("①", None),
        ] {
            assert_eq!(option_of(&poll, text), option, "{text}");
        }
    }

    #[test]
    fn an_option_that_is_a_number_is_meant_by_its_text() {
        let poll = poll(&["2", "1", "3"]);
        assert_eq!(["1", "2", "3"].map(|text| option_of(&poll, text)), [Some(2), Some(1), Some(3)]);
    }
}
