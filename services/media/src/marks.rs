//! Names of the parts of a medium's folder that say what becomes of it.

/// Name of the blob with the record of a medium.
pub(crate) const RECORD: &str = "record.json";
/// Mark of a medium that is being removed.
pub(crate) const CONDEMNED: &str = "condemned";
/// Mark that is written whenever a reference to the medium was signed.
pub(crate) const TOUCHED: &str = "touched";
/// Time for which the mark stays behind the last blob. An upload that began to write before the mark sees it at its end.
pub(crate) const LINGER_MS: u64 = 120_000;
