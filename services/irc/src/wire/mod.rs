//! Lines of IRC: parsing, escaping, names and capabilities. Pure, without I/O.

mod capabilities;
mod client_line;
mod name;
mod server_line;

#[doc(hidden)]
pub use client_line::parse_client_line;
#[doc(hidden)]
pub use name::respell;

pub(crate) use capabilities::Capabilities;
pub(crate) use client_line::{ClientLine, LINE_BYTES_MAX, LineError};
pub(crate) use name::{channel, message_id, nick, room_of_channel, sequence_of_message_id, user_of_nick};
pub(crate) use server_line::{SERVER, ServerLine};
