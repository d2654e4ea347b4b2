//! Inserts into the gift ledger in SQLite, in chunks of rows.

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use crate::error::StoreError;
use crate::records::gift::GiftRecord;
use crate::sql::page::int;

/// Rows of one statement: 11 values each, far below SQLite's maximum of 32,766.
const CHUNK_ROWS: usize = 500;

/// Inserts rows; those that are stored already stay as they are.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    gifts: impl Iterator<Item = &GiftRecord>,
) -> Result<(), StoreError> {
    let gifts: Vec<&GiftRecord> = gifts.collect();
    for chunk in gifts.chunks(CHUNK_ROWS) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO gifts (sequence, room, user, kind, name, count, price_minor,
                amount_minor, currency, combo, at_ms) ",
        );
        query.push_values(chunk, |mut values, gift| {
            values
                .push_bind(int(gift.sequence.0))
                .push_bind(gift.room.as_str().to_owned())
                .push_bind(gift.user.as_str().to_owned())
                .push_bind(gift.kind.label())
                .push_bind(gift.name.clone())
                .push_bind(gift.count)
                .push_bind(int(gift.price_minor))
                .push_bind(int(gift.amount_minor()))
                .push_bind(gift.currency.clone())
                .push_bind(gift.combo)
                .push_bind(int(gift.at_ms));
        });
        query.push(" ON CONFLICT (room, sequence) DO NOTHING");
        query.build().persistent(false).execute(&mut *connection).await?;
    }
    Ok(())
}
