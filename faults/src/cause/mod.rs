//! Faults beside signals: each value causes one fault, and ends it when it is dropped.

mod cgroup;
mod clock;
mod disk;
mod partition;
mod shaper;

pub use cgroup::Cgroup;
pub use clock::WallClock;
pub use disk::SmallDisk;
pub use partition::Partition;
pub use shaper::{Shaper, Shaping};
