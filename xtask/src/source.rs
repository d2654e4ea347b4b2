//! Reads Rust source for the checks: tokens, functions, doc comments, imports and the module tree.
//!
//! A scanner, not a compiler: it follows `mod`, `use` and `cfg(test)`, and expands no macro.

mod doc;
mod file;
mod imports;
mod lexer;
mod tree;

pub(crate) use file::{Function, SourceFile, has_tests};
pub(crate) use tree::CrateTree;
