//! Media: uploads by tus, their check, and delivery by signed addresses.

mod avatars;
mod bucket;
mod clients;
mod collection;
mod covers;
mod cuts;
mod decisions;
mod deferred;
mod delivery;
mod emotes;
mod hook;
mod hostile;
mod known;
mod malware;
mod messages;
mod pictures;
mod review;
mod site;
mod uploads;
