//! Fuzz targets: one function for each decoder that a stranger's bytes reach.
//!
//! A target takes any bytes and panics when the decoder breaks a promise: a round trip, a bound of its output,
//! a text without control characters. The same functions run over the kept inputs in the tests, over mutated
//! inputs in `cargo xtask fuzz`, and under libFuzzer in `fuzz/libfuzzer`.
//!
//! `corpus` reads the kept inputs, `mutate` makes new ones, `campaign` runs a target within limits of time and
//! memory.

pub mod campaign;
pub mod corpus;
pub mod mutate;
mod target;
pub mod targets;

pub use target::Target;

/// Returns the target of a name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    targets::ALL.iter().find(|target| target.name == name)
}
