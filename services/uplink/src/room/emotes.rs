//! The form of a set of emotes. Pure.

use std::collections::HashSet;

use barrage_protocol::code::{LimitHit, Refusal};
use barrage_protocol::emote::{
    EMOTE_SET_BYTES_MAX, EMOTE_SIZES_MAX, EMOTE_URL_BYTES_MAX, Emote, EmoteKind, EmoteSet,
};
use barrage_protocol::{Badge, Code};

use crate::text::CleanText;

/// Fewest and most characters of a name. A letter alone would replace words of texts.
const NAME_CHARS: std::ops::RangeInclusive<usize> = 2..=32;
/// Maximum height of an image in CSS pixels.
const PX_MAX: u16 = 512;

/// Checks a set of at most `emotes_max` emotes.
///
/// # Errors
/// `bad_request` with the first emote that has a wrong form, or the limit that the set exceeds.
pub(crate) fn check_emotes(set: &EmoteSet, emotes_max: usize) -> Result<(), Refusal> {
    if set.emotes.len() > emotes_max {
        return Err(over("emotes_max", emotes_max, "emotes"));
    }
    let (mut ids, mut names) = (HashSet::new(), HashSet::new());
    for (at, emote) in set.emotes.iter().enumerate() {
        let is_new = ids.insert(emote.id.as_str()) && names.insert((emote.kind, emote.name.as_str()));
        let problem = if is_new { problem(emote) } else { Some("id and name: each once in a set") };
        if let Some(problem) = problem {
            return Err(Refusal::new(Code::BadRequest, format!("emotes[{at}].{problem}")));
        }
    }
    let bytes = serde_json::to_vec(set).map_or(usize::MAX, |json| json.len());
    if bytes > EMOTE_SET_BYTES_MAX {
        return Err(over("emote_set_bytes_max", EMOTE_SET_BYTES_MAX, "bytes of JSON"));
    }
    Ok(())
}

fn over(rule: &str, max: usize, unit: &str) -> Refusal {
    let limit = LimitHit { limit: u64::try_from(max).unwrap_or(u64::MAX), ..LimitHit::rule(rule, "room") };
    let refusal = Refusal::new(Code::TooLarge, format!("emotes: at most {max} {unit} in a set"));
    Refusal { limit: Some(Box::new(limit)), ..refusal }
}

/// Describes what is wrong with an emote, beginning with the name of the field.
fn problem(emote: &Emote) -> Option<&'static str> {
    let is_id_byte = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if !(1..=32).contains(&emote.id.len()) || !emote.id.bytes().all(is_id_byte) {
        return Some("id: must be 1 to 32 characters out of A-Z a-z 0-9 _ -");
    }
    if emote.kind == EmoteKind::Badge {
        return match Badge::parse(&emote.name) {
            Ok(_) => picture_problem(emote),
            Err(_) => Some("name: of a badge, must be its name, such as member or member/12"),
        };
    }
    let is_clean =
        CleanText::new(&emote.name, *NAME_CHARS.end()).is_ok_and(|name| name.as_str() == emote.name);
    let is_word = NAME_CHARS.contains(&emote.name.chars().count()) && !emote.name.contains(' ');
    if !is_clean || !is_word {
        return Some("name: must be a word of 2 to 32 visible characters, as it remains after cleaning");
    }
    picture_problem(emote)
}

fn picture_problem(emote: &Emote) -> Option<&'static str> {
    if emote.kind == EmoteKind::Sticker && emote.media.is_none() {
        return Some("reference: a sticker needs a picture of the media hosts");
    }
    if !is_url(&emote.url) {
        return Some("url: must be https://… or a path of the page's host, at most 256 bytes");
    }
    let is_rising = emote.px.windows(2).all(|pair| pair[0] < pair[1]);
    let in_range = emote.px.iter().all(|px| (1..=PX_MAX).contains(px));
    if emote.px.is_empty() || emote.px.len() > EMOTE_SIZES_MAX || !is_rising || !in_range {
        return Some("px: must be 1 to 4 rising heights of 1 to 512");
    }
    None
}

/// Whether a page may take an image from there: an encrypted address, or a path of its own host. A path
/// of two slashes or a backslash would name another host.
fn is_url(url: &str) -> bool {
    let plain = url.replace("{px}", "0");
    let is_safe = |b: u8| b.is_ascii_graphic() && !b"\"'<>\\^`{|}".contains(&b);
    if url.len() > EMOTE_URL_BYTES_MAX || !plain.bytes().all(is_safe) {
        return false;
    }
    match plain.strip_prefix("https://") {
        Some(rest) => {
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            let is_host_byte = |b: u8| b.is_ascii_alphanumeric() || b".-:".contains(&b);
            let in_url = url.strip_prefix("https://").is_some_and(|rest| rest.starts_with(host));
            !host.is_empty() && in_url && host.bytes().all(is_host_byte)
        }
        None => plain.starts_with('/') && !plain.starts_with("//"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn emote(id: &str, name: &str) -> Emote {
        let url = "https://cdn.example/e/kappa-{px}.webp".into();
        Emote { id: id.into(), name: name.into(), url, px: vec![28, 56], animated: true, ..Emote::default() }
    }

    fn checked(emotes: &[Emote]) -> Result<(), String> {
        check_emotes(&EmoteSet { emotes: emotes.to_vec() }, 3).map_err(|refusal| refusal.message)
    }

    #[test]
    fn an_emote_of_a_wrong_form_is_named() {
        assert_eq!(checked(&[emote("1", "Kappa"), emote("2", "弹幕"), emote("3", ":)")]), Ok(()));
        for (name, named) in [
            ("K", "name"),
            ("Kap pa", "name"),
            ("Kap\u{200B}pa", "name"),
            ("\u{202E}appaK", "name"),
            ("e\u{301}e\u{301}", "name"),
            (&"k".repeat(33), "name"),
        ] {
            let error = checked(&[emote("1", name)]).unwrap_err();
            assert!(error.starts_with(&format!("emotes[0].{named}")), "{name:?}: {error}");
        }
        let of = |kind, name: &str| Emote { kind, ..emote("1", name) };
        assert_eq!(checked(&[of(EmoteKind::Badge, "member/12")]), Ok(()));
        assert!(checked(&[of(EmoteKind::Badge, "Member")]).unwrap_err().contains("badge"));
        assert!(checked(&[of(EmoteKind::Sticker, "wave")]).unwrap_err().contains("media hosts"));
        let both = [emote("1", "vip"), Emote { id: "2".into(), ..of(EmoteKind::Badge, "vip") }];
        assert_eq!(checked(&both), Ok(()), "a badge and a word may have one name");
        assert!(checked(&[emote("a/1", "Kappa")]).unwrap_err().contains("id"));
        assert!(checked(&[emote("1", "Kappa"), emote("1", "Keepo")]).unwrap_err().contains("each once"));
        assert!(checked(&[emote("1", "Kappa"), emote("2", "Kappa")]).unwrap_err().contains("each once"));
        for px in [vec![], vec![0], vec![513], vec![56, 28], vec![1, 2, 3, 4, 5]] {
            assert!(checked(&[Emote { px, ..emote("1", "Kappa") }]).unwrap_err().contains("px"));
        }
    }

    #[test]
    fn an_image_comes_encrypted_or_from_the_same_host() {
        for url in ["https://a.example/x.png", "https://a.example:8443/{px}/x.png?v=1", "/emotes/x.png"] {
            assert!(is_url(url), "{url}");
        }
        for url in [
            "",
            "http://a.example/x.png",
            "javascript:alert(1)",
            "data:image/png;base64,AAAA",
            "//a.example/x.png",
            "/\\a.example/x.png",
            "https:///x.png",
            "https://user@a.example/x.png",
            "https://{px}.example/x.png",
            "https://a.example/\"onerror=\"x",
            "https://a.example/ x.png",
            "https://a.example/弹.png",
            "https://a.example/{id}.png",
            "x.png",
        ] {
            assert!(!is_url(url), "{url}");
        }
        assert!(!is_url(&format!("/{}", "a".repeat(256))));
    }

    #[test]
    fn a_set_over_its_bounds_is_refused_with_the_limit() {
        let many: Vec<_> = (0..4).map(|n| emote(&n.to_string(), &format!("emote{n}"))).collect();
        let refusal = check_emotes(&EmoteSet { emotes: many }, 3).unwrap_err();
        assert_eq!((refusal.code, refusal.limit.unwrap().limit), (Code::TooLarge, 3));
        let url = format!("https://cdn.example/{}", "a".repeat(200));
        let long =
            (0..9_000).map(|n| Emote { url: url.clone(), ..emote(&n.to_string(), &format!("emote{n}")) });
        let refusal = check_emotes(&EmoteSet { emotes: long.collect() }, 10_000).unwrap_err();
        assert_eq!(refusal.limit.unwrap().rule, "emote_set_bytes_max");
    }
}
