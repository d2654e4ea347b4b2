//! The check of an upload: what it is by its bytes, whether it may be shown, and the forms that are shown.
//!
//! Pictures are decoded in a process of their own (`child`), which has little memory and time and no network. Every form
//! of a picture is written anew, so that nothing of its bytes but the picture is left: no place, no script.

mod child;
mod clip;
mod form;
mod gif;
mod job;
mod kind;
mod picture;
mod run;
mod store;

pub use child::{CHILD_ARGUMENT, check_child};
pub(crate) use run::run;
