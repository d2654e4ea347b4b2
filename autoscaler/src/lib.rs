//! What the fleet's owners run: the simulator and the tuner around the pure decision.
//!
//! - [`baseline`]: the rules of other autoscalers, to be compared with.
//! - [`kubernetes`]: the controller, which reads a fleet, decides and acts.
//! - [`simulate`]: a crowd, a fleet and a policy, second by second.
//! - [`tune`]: a search for better numbers over recorded crowds.
//!
//! The decision itself is `barrage-scaling`.

pub mod baseline;
pub mod kubernetes;
pub mod simulate;
pub mod tune;
