//! Histories of rooms: what a reader may see of the store, and first pages that are read once for all
//! viewers. Imports no axum.

mod cache;
mod page;
mod reader;
mod view;
mod window;
mod windows;

pub(crate) use cache::{HistoryCache, HistoryParts};
pub(crate) use page::{Span, page};
pub(crate) use view::View;
pub(crate) use window::{Ready, WINDOW_MESSAGES};
