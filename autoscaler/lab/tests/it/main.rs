//! The built-in traces under this autoscaler and others.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(unreachable_pub, missing_docs, reason = "modules of a test")]

mod targets;
