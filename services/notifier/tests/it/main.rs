//! The role push between real tables and services that a test plays over HTTP/2.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod badges;
mod browser;
mod campaign;
mod foreign;
mod killed;
mod services;
mod site;
mod trouble;
