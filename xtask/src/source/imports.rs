//! Paths by which a file refers to other modules of its crate.

use super::lexer::{Kind, Token, matching};

/// A path in a `use`, or in code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Import {
    pub(crate) path: Vec<String>,
    pub(crate) role: Role,
    /// Number of inline modules that surround the import.
    pub(crate) depth: usize,
    pub(crate) line: usize,
}

/// Use that a file makes of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    /// `use`, which gives the path a name in this file.
    Named(String),
    /// `pub use`, which offers the path under a name and uses nothing itself.
    Offered(String),
    /// `use path::*`, which names no item of the module.
    Glob,
    /// `pub use path::*`, which offers a whole module.
    OfferedGlob,
    /// A path in an expression or a type.
    InCode,
}

/// Returns all paths of code without tests.
pub(crate) fn all(code: &[Token<'_>]) -> Vec<Import> {
    let mut found = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut at = 0;
    while at < code.len() {
        open.retain(|end| at <= *end);
        let next_is = |punct: char| code.get(at + 1).is_some_and(|token| token.is(punct));
        match code[at].word() {
            Some("mod") if code.get(at + 2).is_some_and(|token| token.is('{')) => {
                open.extend(matching(code, at + 2));
                at += 3;
            }
            Some("use") if !next_is('<') => {
                let is_offered = at > 0 && (code[at - 1].word() == Some("pub") || code[at - 1].is(')'));
                let mut tree = UseTree { code, at: at + 1, is_offered, depth: open.len(), found: &mut found };
                tree.branch(&[]);
                at = tree.at + 1;
            }
            Some(_) if next_is(':') && !(at > 1 && code[at - 1].is(':') && code[at - 2].is(':')) => {
                let path = path_at(code, at);
                if path.len() > 1 {
                    let (depth, line) = (open.len(), code[at].line);
                    found.push(Import { path, role: Role::InCode, depth, line });
                }
                at += 1;
            }
            _ => at += 1,
        }
    }
    found
}

/// Returns the segments of a path in code, without generic arguments.
fn path_at(code: &[Token<'_>], mut at: usize) -> Vec<String> {
    let mut path = Vec::new();
    while let Some(word) = code.get(at).and_then(Token::word) {
        path.push(word.to_owned());
        let colons = code.get(at + 1..at + 3).is_some_and(|two| two[0].is(':') && two[1].is(':'));
        if !colons {
            break;
        }
        at += 3;
    }
    path
}

struct UseTree<'t, 'a> {
    code: &'t [Token<'a>],
    at: usize,
    is_offered: bool,
    depth: usize,
    found: &'t mut Vec<Import>,
}

impl UseTree<'_, '_> {
    /// Reads one branch and stops at the token behind it.
    fn branch(&mut self, prefix: &[String]) {
        let mut path = prefix.to_vec();
        while let Some(token) = self.code.get(self.at) {
            match token.kind {
                Kind::Word("as") => {
                    let alias = self.code.get(self.at + 1).and_then(Token::word).unwrap_or("_").to_owned();
                    self.at += 2;
                    return self.push(path, Some(alias));
                }
                Kind::Word(word) => {
                    path.push(word.to_owned());
                    self.at += 1;
                }
                Kind::Punct(':') => self.at += 1,
                Kind::Punct('*') => {
                    self.at += 1;
                    return self.push(path, None);
                }
                Kind::Punct('{') => {
                    self.at += 1;
                    return self.branches(&path);
                }
                _ => break,
            }
        }
        if path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let name = path.last().cloned();
        if path.len() > prefix.len() || name.is_some() {
            self.push(path, name);
        }
    }

    fn branches(&mut self, path: &[String]) {
        loop {
            match self.code.get(self.at).map(|token| token.kind) {
                Some(Kind::Punct('}')) => {
                    self.at += 1;
                    return;
                }
                Some(Kind::Punct(',')) => self.at += 1,
                Some(_) => self.branch(path),
                None => return,
            }
        }
    }

    /// Adds a path; without a name it is a glob.
    fn push(&mut self, path: Vec<String>, name: Option<String>) {
        let role = match (name, self.is_offered) {
            (Some(name), true) => Role::Offered(name),
            (Some(name), false) => Role::Named(name),
            (None, true) => Role::OfferedGlob,
            (None, false) => Role::Glob,
        };
        let line = self.code.get(self.at.saturating_sub(1)).map_or(0, |token| token.line);
        self.found.push(Import { path, role, depth: self.depth, line });
    }
}

#[cfg(test)]
mod tests {
    use super::super::lexer::tokens;
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        all(&tokens(text)).iter().map(|i| format!("{} {:?}", i.path.join("::"), i.role)).collect()
    }

    #[test]
    fn use_trees_are_spread() {
        assert_eq!(
            shown("pub use a::B; use super::{self, c::{D as E, f::*}, g}; use h;"),
            [
                r#"a::B Offered("B")"#,
                r#"super Named("super")"#,
                r#"super::c::D Named("E")"#,
                "super::c::f Glob",
                r#"super::g Named("g")"#,
                r#"h Named("h")"#
            ]
        );
    }

    #[test]
    fn paths_in_code_are_found_once() {
        assert_eq!(
            shown("fn f() { crate::a::b::<u8>(); x.y::<T>(); site::run::<Z>(q::W) }"),
            ["crate::a::b InCode", "site::run InCode", "q::W InCode"]
        );
    }
}
