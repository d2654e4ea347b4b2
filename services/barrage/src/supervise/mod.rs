//! Supervision of the long-lived tasks of a process, and the order in which they stop.

mod heartbeat;
mod roster;
mod stop;
mod supervisor;

pub(crate) use heartbeat::Wakeup;
pub(crate) use roster::{Stage, Task, Vital};
pub(crate) use stop::{Stop, requested};
pub(crate) use supervisor::{Supervisor, TaskResult, Watch};
