//! What a fuzz target is.

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
