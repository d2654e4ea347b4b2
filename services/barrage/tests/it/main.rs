//! Integration tests: real `barrage` processes on free ports, with real NATS, Redis and PostgreSQL
//! servers where a test needs them.
//!
//! Tests in modules named `alone` measure time or load; run them without other tests beside them.

#![allow(clippy::disallowed_methods, reason = "tests measure with the machine's clocks")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests report seeds, figures and skipped parts"
)]

mod accounts;
mod actions;
mod admin_access;
mod alone;
mod backup;
mod backup_nats;
mod bad_input;
mod canary;
mod channel;
mod chart;
mod cli;
mod client;
mod client_examples;
mod configuration;
mod delay;
mod deploy;
mod dplayer;
mod durability;
mod encrypted;
mod export;
mod fault;
mod fleet;
mod flow;
mod irc;
mod keys;
mod letters;
mod limits;
mod mail;
mod media;
mod moderation;
mod openapi;
mod operator;
mod pages;
mod polls;
mod push;
mod readiness;
mod recording;
mod reference;
mod reviews;
mod room;
mod room_state;
mod route_paths;
mod sources;
mod strangers;
mod supervision;
mod support;
mod tokens;
mod traces;
mod webhooks;
