//! The routes: uploads by tus, and media by their signed addresses.

mod avatars;
mod caller;
mod create;
mod known;
mod media;
mod operations;
mod receive;
mod references;
mod reviews;
mod routes;
mod tus;
mod uploads;
mod view;

pub use operations::operations;
pub(crate) use receive::end_whole;
pub(crate) use reviews::admin_router;
pub(crate) use routes::{router, signed_router};
