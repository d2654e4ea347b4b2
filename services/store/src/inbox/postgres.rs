//! The inbox in PostgreSQL: a whole batch in each statement, by arrays.

mod ask;
mod engine;
mod load;
mod read;
mod write;

pub use engine::PostgresInbox;
