//! The routes: uploads by tus, and media by their signed addresses.

mod caller;
mod create;
mod known;
mod media;
mod operations;
mod receive;
mod references;
mod routes;
mod tus;
mod uploads;
mod view;

pub use operations::operations;
pub(crate) use receive::end_whole;
pub(crate) use routes::router;
