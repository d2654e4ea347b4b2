//! Description of the HTTP API as OpenAPI 3.1, generated from Rust types.
//!
//! Each role lists its [`Operation`]s beside its routes: method, path, types of the request and of
//! the answers, and error codes. [`document`] makes one document of them. A test of `barrage`
//! compares the operations with the routes of a running server.

mod document;
mod operation;
mod schemas;

pub use document::{Info, document};
pub use operation::{Access, Body, Method, Operation, Server};
