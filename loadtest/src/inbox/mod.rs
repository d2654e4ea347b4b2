//! Load of letters: people who write to each other and to a group, devices that come back, and pictures.
//!
//! One process and one thread hold all devices. The load is an open loop, as that of rooms: letters have intended
//! times, and latencies count from them.

mod album;
mod away;
mod board;
mod device;
mod fan_group;
mod letters;
mod live;
mod picture;
mod progress;
mod push_service;
mod report;
mod run;
mod scenario;
mod sender;
mod site;
mod socket;

pub use report::{InboxReport, summary};
pub use run::run;
pub use scenario::{
    AlbumLoad, AwayLoad, FanGroupLoad, InboxScenario, LettersLoad, LiveLoad, Load, SHIPPED, Sizes, shipped,
};
