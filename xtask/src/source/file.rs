//! One file: its length, functions, doc comments, modules, items and imports.

use std::ops::Range;

use super::doc::{self, DocBlock};
use super::imports::{self, Import};
use super::lexer::{Kind, Token, matching, tokens};

/// Keywords whose next word is the name of an item.
const ITEMS: [&str; 9] = ["struct", "enum", "union", "fn", "trait", "type", "const", "static", "macro_rules"];

/// A function and its length in lines, from `fn` to the closing brace.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) lines: usize,
}

/// A `mod` declaration outside test code, in a file or inline.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Module {
    pub(crate) name: String,
    /// Path that a `#[path]` attribute names; `None` without one.
    pub(crate) path: Option<String>,
    /// A `mod` with a body in the same file.
    pub(crate) is_inline: bool,
    /// Names of the inline modules around it, outermost first.
    pub(crate) within: Vec<String>,
}

/// Everything that the checks read from one file.
#[derive(Debug)]
pub(crate) struct SourceFile {
    pub(crate) lines: usize,
    pub(crate) functions: Vec<Function>,
    pub(crate) docs: Vec<DocBlock>,
    /// Modules that the file declares outside test code.
    pub(crate) modules: Vec<Module>,
    /// Names of items outside test code, at any depth.
    pub(crate) items: Vec<String>,
    /// Paths that the file uses outside test code.
    pub(crate) imports: Vec<Import>,
}

impl SourceFile {
    pub(crate) fn parse(text: &str) -> SourceFile {
        let all = tokens(text);
        let code: Vec<_> = all
            .iter()
            .filter(|token| !matches!(token.kind, Kind::OuterDoc(_) | Kind::InnerDoc(_)))
            .copied()
            .collect();
        let tested = without_tests(&code);
        let modules = modules(&tested);
        let items = tested.windows(3).filter_map(item_name).map(str::to_owned).collect();
        SourceFile {
            lines: text.lines().count(),
            functions: functions(&code),
            docs: doc::blocks(&all),
            imports: imports::all(&tested),
            modules,
            items,
        }
    }
}

/// Returns the name behind an item's keyword.
fn item_name<'a>(three: &[Token<'a>]) -> Option<&'a str> {
    match three[0].word() {
        Some("macro_rules") => three[2].word(),
        Some(word) if ITEMS.contains(&word) => three[1].word(),
        _ => None,
    }
}

fn functions(code: &[Token<'_>]) -> Vec<Function> {
    let mut found = Vec::new();
    for at in 0..code.len() {
        let (Some("fn"), Some(name)) = (code[at].word(), code.get(at + 1).and_then(Token::word)) else {
            continue;
        };
        let body = end_of_item(code, at);
        let last = body.and_then(|end| code.get(end)).filter(|token| token.is('}'));
        if let Some(last) = last {
            let line = code[at].line;
            found.push(Function { name: name.to_owned(), line, lines: last.line - line + 1 });
        }
    }
    found
}

/// Returns the index of the last token of the item that begins at `at`: `;`, or the brace that closes its body.
fn end_of_item(code: &[Token<'_>], mut at: usize) -> Option<usize> {
    let is_visibility = |token: &&Token<'_>| {
        token.is('(') || token.is(')') || matches!(token.word(), Some("pub" | "crate" | "super"))
    };
    let is_use = code[at..].iter().find(|token| !is_visibility(token)).and_then(Token::word) == Some("use");
    loop {
        match code.get(at)?.kind {
            Kind::Punct(';') => return Some(at),
            Kind::Punct('{') if !is_use => return matching(code, at),
            Kind::Punct('(' | '[' | '{') => at = matching(code, at)? + 1,
            Kind::Punct(')' | ']' | '}') => return Some(at - 1),
            _ => at += 1,
        }
    }
}

/// Returns the code without items under `#[cfg(test)]`.
fn without_tests<'a>(code: &[Token<'a>]) -> Vec<Token<'a>> {
    let mut kept = Vec::with_capacity(code.len());
    let mut at = 0;
    while at < code.len() {
        match test_attribute(code, at).and_then(|attribute| end_of_tested(code, attribute.end)) {
            Some(end) => at = end + 1,
            None => {
                kept.push(code[at]);
                at += 1;
            }
        }
    }
    kept
}

/// Whether a file has an attribute of tests: `#[test]`, another one of that name, or a `cfg` that asks for tests.
pub(crate) fn has_tests(text: &str) -> bool {
    let all = tokens(text);
    (0..all.len()).any(|at| {
        let is_attribute = all[at].is('#') && all.get(at + 1).is_some_and(|token| token.is('['));
        let Some(end) = is_attribute.then(|| matching(&all, at + 1)).flatten() else { return false };
        let is_test = |n: usize| all[n].word() == Some("test") && all[n - 2].word() != Some("not");
        (at + 2..end).any(is_test)
    })
}

/// Returns the range of a `#[cfg(test)]` at `at`.
fn test_attribute(code: &[Token<'_>], at: usize) -> Option<Range<usize>> {
    if !(code[at].is('#') && code.get(at + 1)?.is('[')) {
        return None;
    }
    let end = matching(code, at + 1)?;
    let mut words = code[at..end].iter().filter_map(Token::word);
    let is_test = words.next() == Some("cfg") && words.next() == Some("test");
    is_test.then_some(at..end + 1)
}

/// Returns the end of the item, field or statement behind an attribute, further attributes included.
fn end_of_tested(code: &[Token<'_>], mut at: usize) -> Option<usize> {
    while code.get(at)?.is('#') {
        at = matching(code, at + 1)? + 1;
    }
    let is_item = code[at..]
        .iter()
        .take(6)
        .filter_map(Token::word)
        .any(|word| ITEMS.contains(&word) || matches!(word, "mod" | "use" | "impl"));
    if is_item {
        return end_of_item(code, at);
    }
    let mut end = at;
    loop {
        match code.get(end)?.kind {
            Kind::Punct(',' | ';') => return Some(end),
            Kind::Punct('(' | '[' | '{') => end = matching(code, end)? + 1,
            Kind::Punct(')' | ']' | '}') => return Some(end - 1),
            _ => end += 1,
        }
    }
}

/// Returns the `mod` declarations, with the inline modules around each.
fn modules(code: &[Token<'_>]) -> Vec<Module> {
    let mut found = Vec::new();
    let mut open: Vec<(usize, String)> = Vec::new();
    for at in 0..code.len() {
        open.retain(|(end, _)| at <= *end);
        let (Some("mod"), Some(name)) = (code[at].word(), code.get(at + 1).and_then(Token::word)) else {
            continue;
        };
        let within = open.iter().map(|(_, name)| name.clone()).collect();
        let is_inline = code.get(at + 2).is_some_and(|token| token.is('{'));
        let path = path_attribute(&code[..at]);
        found.push(Module { name: name.to_owned(), path, is_inline, within });
        if let (true, Some(end)) = (is_inline, matching(code, at + 2)) {
            open.push((end, name.to_owned()));
        }
    }
    found
}

/// Returns the file of a `#[path = "..."]` that ends the tokens before a `mod`.
fn path_attribute(before: &[Token<'_>]) -> Option<String> {
    let tail = &before[before.len().saturating_sub(10)..];
    let at = tail.iter().rposition(|token| token.word() == Some("path"))?;
    match (tail.get(at + 1)?.kind, tail.get(at + 2)?.kind, tail.get(at + 3)?.kind) {
        (Kind::Punct('='), Kind::Literal(path), Kind::Punct(']')) => {
            let between = &tail[at + 4..];
            between
                .iter()
                .all(|token| !matches!(token.kind, Kind::Punct(';' | '{' | '}')))
                .then(|| path.trim_matches('"').to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_of_tests_are_seen_and_other_mentions_are_not() {
        for text in [
            "#[test]\nfn a() {}",
            "#[tokio::test(start_paused = true)]",
            "#[cfg(all(test, not(loom)))] mod a;",
        ] {
            assert!(has_tests(text), "{text}");
        }
        for text in [
            "fn test() {}",
            "// #[test]",
            "#[cfg_attr(not(test), warn(x))]",
            "\"#[test]\"",
            "#[derive(Debug)]",
        ] {
            assert!(!has_tests(text), "{text}");
        }
    }

    const TEXT: &str = "
        use crate::a::{B, c::D as E};
        mod inner { mod deep; }
        #[cfg(test)]
        #[path = \"x_tests.rs\"]
        mod tests;
        #[cfg(test)]
        mod more { use super::*; fn t() {} }
        #[cfg(test)]
        use crate::only_in_tests::{F, G};
        struct S { #[cfg(test)] seen: crate::t::Seen, b: B }
        fn long(
            x: fn(u32) -> u32,
        ) -> [u8; 3] {
            fn short() {}
        }
        trait T { fn absent(&self); }
        ";

    #[test]
    fn test_code_is_no_import_and_no_module() {
        let file = SourceFile::parse(TEXT);
        let modules: Vec<_> = file.modules.iter().map(|m| (m.name.as_str(), m.within.len())).collect();
        assert_eq!(modules, [("inner", 0), ("deep", 1)]);
        let imports: Vec<_> = file.imports.iter().map(|import| import.path.join("::")).collect();
        assert_eq!(imports, ["crate::a::B", "crate::a::c::D"]);
        assert_eq!(file.items, ["S", "long", "short", "T", "absent"]);
    }

    #[test]
    fn functions_have_lines_from_fn_to_brace() {
        let found: Vec<_> =
            SourceFile::parse(TEXT).functions.iter().map(|f| (f.name.clone(), f.lines)).collect();
        assert_eq!(found, [("t".to_owned(), 1), ("long".to_owned(), 5), ("short".to_owned(), 1)]);
    }
}
