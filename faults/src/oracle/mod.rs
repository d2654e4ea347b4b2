//! The oracles: which gifts and letters were promised, and whether each is where it must be, once. No I/O.

mod device;
mod inbox;
mod judgement;
mod shown;

pub use device::Device;
pub use inbox::{Accepted, Conversation, Inbox, InboxJudgement, Item, Kept, Reads};
pub use judgement::{Fault, Judgement, Promises};
pub use shown::{Seen, Shown};
