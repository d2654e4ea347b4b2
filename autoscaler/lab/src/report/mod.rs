//! Results as text and as a page.

mod page;
mod table;
mod verdict;

pub use page::{campaign_page, tuning_page};
pub use table::{legend, table};
pub use verdict::verdict;
