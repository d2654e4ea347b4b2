//! Readers of a history, who ask as pages do, and a bare server that answers with the same bytes.

mod limit;
mod reads;

pub(crate) use limit::PageLimit;
pub(crate) use reads::PageReads;
