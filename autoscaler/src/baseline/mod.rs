//! The rules of other autoscalers, written from their sources, to be compared with.

pub mod hpa;
pub mod kpa;
pub mod replica_set;
