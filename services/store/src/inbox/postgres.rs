//! The inbox in PostgreSQL: a whole batch in each statement, by arrays.

mod ask;
mod audit;
mod engine;
mod erase;
mod load;
mod push;
mod push_calls;
mod read;
mod reports;
mod trim;
mod write;

pub use engine::PostgresInbox;
