//! Media: uploads by tus, their check, and delivery by signed addresses.

mod clients;
mod collection;
mod delivery;
mod hostile;
mod known;
mod messages;
mod pictures;
mod site;
mod uploads;
