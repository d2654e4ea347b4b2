//! A disguise of words, for tests of folding and of word lists.

/// Returns `word` with separators, invisible characters, full-width forms and changed case, chosen by
/// `seed`.
pub(crate) fn disguised(word: &str, mut seed: u64) -> String {
    const BETWEEN: [&str; 12] =
        ["", "", "", " ", ".", "-", "\u{200B}", "\u{200D}", "\u{FEFF}", "\u{3000}", "，", "\u{AD}*"];
    let mut next = |n: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % n
    };
    let mut out = String::new();
    for (at, c) in word.chars().enumerate() {
        if at > 0 {
            out.push_str(BETWEEN[next(BETWEEN.len())]);
        }
        match next(4) {
            0 if c.is_ascii() => out.extend(char::from_u32(c as u32 + 0xFEE0)),
            1 => out.extend(c.to_uppercase()),
            2 => out.extend(c.to_lowercase()),
            _ => out.push(c),
        }
    }
    out
}
