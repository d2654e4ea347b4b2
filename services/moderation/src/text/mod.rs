//! Texts as they are matched: characters, their Unicode properties, and folding.

mod characters;
mod fold;
mod fold_table;
pub mod glyph;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use characters::{characters, is_simple};
pub use fold::Folded;
pub(crate) use fold::{Boundary, Shape};
pub(crate) use fold_table::is_invisible;
