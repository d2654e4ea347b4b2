//! Doc comments as blocks, and whether a block says more than a name.

use super::lexer::{Kind, Token, matching};

/// Words that add nothing to a name.
const FILLERS: [&str; 12] = ["a", "an", "the", "of", "for", "to", "and", "this", "its", "in", "is", "with"];
/// Words between a doc comment and the name of its item.
const BEFORE_NAMES: [&str; 18] = [
    "pub",
    "crate",
    "super",
    "async",
    "const",
    "unsafe",
    "extern",
    "fn",
    "struct",
    "enum",
    "trait",
    "type",
    "mod",
    "static",
    "union",
    "impl",
    "macro_rules",
    "mut",
];

/// Doc comment of an item or a module: its consecutive lines, joined.
#[derive(Debug)]
pub(crate) struct DocBlock {
    pub(crate) line: usize,
    pub(crate) text: String,
    /// Name of the item below; of a module's own doc, none.
    pub(crate) item: Option<String>,
}

impl DocBlock {
    /// Counts the words, those of code blocks included.
    pub(crate) fn words(&self) -> usize {
        self.text.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric)).count()
    }

    /// Reports whether all words are words of a name, such as "The room id." for `RoomId`.
    pub(crate) fn only_repeats(&self, name: &str) -> bool {
        let name = name_words(name);
        let mut said = self
            .text
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| word.len() > 1)
            .map(|word| stem(&word.to_lowercase()))
            .filter(|word| !FILLERS.contains(&word.as_str()))
            .peekable();
        said.peek().is_some() && said.all(|word| name.contains(&word))
    }
}

/// Splits `RoomId` or `room_id` into stems of lower case.
fn name_words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in name.chars() {
        if c == '_' || c.is_uppercase() && !words.last().is_some_and(|w| w.chars().all(char::is_uppercase)) {
            words.push(String::new());
        }
        if c != '_'
            && let Some(word) = words.last_mut()
        {
            word.push(c);
        }
    }
    words.iter().filter(|word| !word.is_empty()).map(|word| stem(&word.to_lowercase())).collect()
}

fn stem(word: &str) -> String {
    word.strip_suffix('s').filter(|stem| stem.len() >= 2).unwrap_or(word).to_owned()
}

/// Returns all doc comments of a file.
pub(crate) fn blocks(tokens: &[Token<'_>]) -> Vec<DocBlock> {
    let mut found: Vec<DocBlock> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let mut lines = Vec::new();
        let first = tokens[at];
        let is_inner = matches!(first.kind, Kind::InnerDoc(_));
        while let Some(token) = tokens.get(at) {
            match token.kind {
                Kind::OuterDoc(text) if !is_inner => lines.push(text),
                Kind::InnerDoc(text) if is_inner => lines.push(text),
                _ => break,
            }
            at += 1;
        }
        if lines.is_empty() {
            at += 1;
            continue;
        }
        let item = if is_inner { None } else { item_name(&tokens[at..]) };
        found.push(DocBlock { line: first.line, text: lines.join(" "), item });
    }
    found
}

/// Returns the name of the item that the tokens begin with, behind attributes and keywords.
fn item_name(tokens: &[Token<'_>]) -> Option<String> {
    let mut at = 0;
    while tokens.get(at)?.is('#') {
        at = matching(tokens, at + 1)? + 1;
    }
    let mut words = tokens[at..].iter().take(12).filter_map(Token::word);
    words.find(|word| !BEFORE_NAMES.contains(word)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::lexer::tokens;
    use super::*;

    #[test]
    fn block_has_its_lines_words_and_item() {
        let text =
            "/// Id of\n/// a room.\n#[derive(Debug)]\npub(crate) struct RoomId;\n/// Other.\nfn x() {}";
        let found = blocks(&tokens(text));
        let shown: Vec<_> =
            found.iter().map(|block| (block.line, block.words(), block.item.as_deref())).collect();
        assert_eq!(shown, [(1, 4, Some("RoomId")), (5, 1, Some("x"))]);
    }

    #[test]
    fn doc_that_repeats_the_name_is_found() {
        let block = |text: &str| DocBlock { line: 1, text: text.into(), item: None };
        assert!(
            block("The room's id.").only_repeats("RoomId") || block("The room id.").only_repeats("RoomId")
        );
        assert!(block("Rooms, their ids.").only_repeats("rooms_their_id"));
        assert!(!block("Id of a room, unique in a fleet.").only_repeats("RoomId"));
        assert!(!block("").only_repeats("RoomId"));
    }
}
