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
pub mod targets;

/// A decoder under test: its name, its function and what inputs of it look like.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Name of the target, and of its file of kept inputs.
    pub name: &'static str,
    /// Runs the decoder over one input; panics when a promise is broken.
    pub run: fn(&[u8]),
    /// Words of the format, which mutation inserts into inputs.
    pub words: &'static [&'static str],
    /// Largest input that is tried, in bytes: at least what the product reads before it refuses.
    pub bytes_max: usize,
    /// Milliseconds of processor time that an input of `bytes_max` may take in an unoptimised build.
    pub input_ms_max: u64,
}

/// Returns the target of a name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    targets::ALL.iter().find(|target| target.name == name)
}
