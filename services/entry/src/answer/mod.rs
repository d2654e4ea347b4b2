//! Parts of an answer: URLs, and the region of the client.

mod region;
mod urls;

pub use region::RegionTable;
pub use urls::{LocalEndpoints, LocalMedia};
pub(crate) use urls::{base_urls, downlinks, media_urls, request_host};
