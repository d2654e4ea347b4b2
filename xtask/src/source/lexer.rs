//! Splits Rust source into tokens and keeps the line of each.

/// Kind of one token, as far as the checks tell tokens apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    /// Identifier or keyword, without the prefix of a raw one.
    Word(&'a str),
    /// One character of punctuation; operators are several tokens.
    Punct(char),
    /// Literal: a string, a character or a number.
    Literal(&'a str),
    /// Text of one `///` comment line, without its marker.
    OuterDoc(&'a str),
    /// Text of one `//!` comment line, without its marker.
    InnerDoc(&'a str),
}

/// One token and its line, counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind<'a>,
    pub(crate) line: usize,
}

impl<'a> Token<'a> {
    pub(crate) fn is(&self, punct: char) -> bool {
        self.kind == Kind::Punct(punct)
    }

    pub(crate) fn word(&self) -> Option<&'a str> {
        match self.kind {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }
}

/// Returns the tokens of a file; comments that document nothing and lifetimes are dropped.
pub(crate) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut lexer = Lexer { text, at: 0, line: 1 };
    let mut found = Vec::new();
    while lexer.at < text.len() {
        let line = lexer.line;
        if let Some(kind) = lexer.next() {
            found.push(Token { kind, line });
        }
    }
    found
}

/// Returns the index of the bracket that closes the one at `open`.
pub(crate) fn matching(tokens: &[Token<'_>], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.kind {
            Kind::Punct('(' | '[' | '{') => depth += 1,
            Kind::Punct(')' | ']' | '}') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at);
                }
            }
            _ if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Consumes bytes and counts the lines in them.
    fn take(&mut self, bytes: usize) -> &'a str {
        let taken = &self.rest()[..bytes];
        self.line += taken.matches('\n').count();
        self.at += bytes;
        taken
    }

    fn take_while(&mut self, is_part: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        self.take(rest.find(|c| !is_part(c)).unwrap_or(rest.len()))
    }

    fn next(&mut self) -> Option<Kind<'a>> {
        let rest = self.rest();
        let first = rest.chars().next()?;
        if first.is_whitespace() {
            self.take_while(char::is_whitespace);
            return None;
        }
        if rest.starts_with("//") {
            return comment(self.take_while(|c| c != '\n'));
        }
        if rest.starts_with("/*") {
            self.block_comment();
            return None;
        }
        if let Some(bytes) = string_len(rest) {
            return Some(Kind::Literal(self.take(bytes)));
        }
        if rest.starts_with("b'") {
            self.take(1);
        }
        if self.rest().starts_with('\'') {
            return self.quote();
        }
        if first.is_ascii_digit() {
            return Some(Kind::Literal(self.take_while(|c| c.is_alphanumeric() || c == '_')));
        }
        if first.is_alphabetic() || first == '_' {
            if rest.starts_with("r#") {
                self.take(2);
            }
            return Some(Kind::Word(self.take_while(|c| c.is_alphanumeric() || c == '_')));
        }
        self.take(first.len_utf8());
        Some(Kind::Punct(first))
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        loop {
            let rest = self.rest();
            if rest.starts_with("/*") {
                depth += 1;
                self.take(2);
            } else if rest.starts_with("*/") {
                depth -= 1;
                self.take(2);
                if depth == 0 {
                    return;
                }
            } else {
                let Some(c) = rest.chars().next() else { return };
                self.take(c.len_utf8());
            }
        }
    }

    /// Consumes a character literal, or a lifetime, which is no token.
    fn quote(&mut self) -> Option<Kind<'a>> {
        let rest = self.rest();
        let mut after = rest.char_indices().skip(1);
        let escaped = after.next().is_some_and(|(_, c)| c == '\\');
        if escaped {
            let end = rest[3..].find('\'').map_or(rest.len(), |end| end + 4);
            return Some(Kind::Literal(self.take(end)));
        }
        match after.next() {
            Some((end, '\'')) => Some(Kind::Literal(self.take(end + 1))),
            _ => {
                self.take(1);
                self.take_while(|c| c.is_alphanumeric() || c == '_');
                None
            }
        }
    }
}

fn comment(text: &str) -> Option<Kind<'_>> {
    if let Some(doc) = text.strip_prefix("//!") {
        return Some(Kind::InnerDoc(doc.trim()));
    }
    let doc = text.strip_prefix("///")?;
    (!doc.starts_with('/')).then(|| Kind::OuterDoc(doc.trim()))
}

/// Returns the length of the string literal that the text begins with.
fn string_len(rest: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| {
        rest.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('"') || rest.starts_with('#'))
    })?;
    let body = &rest[prefix.len()..];
    let hashes = body.len() - body.trim_start_matches('#').len();
    if !body[hashes..].starts_with('"') || hashes > 0 && !prefix.ends_with('r') {
        return None;
    }
    let content = prefix.len() + hashes + 1;
    if prefix.ends_with('r') {
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(rest[content..].find(&end).map_or(rest.len(), |at| content + at + end.len()));
    }
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(content) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    Some(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        tokens(text).iter().filter_map(Token::word).collect()
    }

    #[test]
    fn comments_strings_and_lifetimes_are_no_words() {
        let text = r##"fn f<'a>(x: &'a str) { let y = "use x; // \" fn"; /* fn /* g */ h */ r#"fn "i""#; b'"'; 'x'; '\''; r#gen }"##;
        assert_eq!(words(text), ["fn", "f", "x", "str", "let", "y", "gen"]);
    }

    #[test]
    fn docs_keep_text_and_line() {
        let found = tokens("//! Top.\n\n/// One\n/// two.\n// no doc\n//// no doc\nstruct X;");
        let docs: Vec<_> =
            found.iter().filter(|t| t.word().is_none() && !t.is(';')).map(|t| (t.line, t.kind)).collect();
        assert_eq!(
            docs,
            [(1, Kind::InnerDoc("Top.")), (3, Kind::OuterDoc("One")), (4, Kind::OuterDoc("two."))]
        );
    }
}
