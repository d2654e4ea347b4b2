//! The gift ledger.

use barrage_protocol::{RoomId, Sequence, UserId};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::SqliteStore;
use crate::archive::rows;
use crate::row;
use crate::{GiftRecord, GiftSum, HISTORY_LIMIT_MAX, StoreError};

/// Rows per statement: 11 values each, far under SQLite's 32,766.
const CHUNK_ROWS: usize = 500;

/// The two halves of a sum, because the sum of many great amounts leaves 64
/// bits, which SQLite answers with an error.
const SUM_COLUMNS: &str = "COUNT(*) AS entries, COALESCE(SUM(count), 0) AS count,
    COALESCE(SUM(amount_minor >> 32), 0) AS amount_high,
    COALESCE(SUM(amount_minor & 4294967295), 0) AS amount_low";

pub(super) async fn insert(
    connection: &mut SqliteConnection,
    gifts: impl Iterator<Item = &GiftRecord>,
) -> Result<u64, StoreError> {
    let gifts: Vec<&GiftRecord> = gifts.collect();
    let mut new = 0;
    for chunk in gifts.chunks(CHUNK_ROWS) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO gifts (sequence, room, user, kind, name, count, price_minor,
                amount_minor, currency, combo, at_ms) ",
        );
        query.push_values(chunk, |mut values, gift| {
            values
                .push_bind(row::int(gift.sequence.0))
                .push_bind(gift.room.as_str().to_owned())
                .push_bind(gift.user.as_str().to_owned())
                .push_bind(gift.kind.label())
                .push_bind(gift.name.clone())
                .push_bind(gift.count)
                .push_bind(row::int(gift.price_minor))
                .push_bind(row::int(gift.amount_minor()))
                .push_bind(gift.currency.clone())
                .push_bind(gift.combo)
                .push_bind(row::int(gift.at_ms));
        });
        query.push(" ON CONFLICT (room, sequence) DO NOTHING");
        new += query.build().persistent(false).execute(&mut *connection).await?.rows_affected();
    }
    Ok(new)
}

pub(super) async fn list(
    store: &SqliteStore,
    room: &RoomId,
    after: Sequence,
    limit: usize,
) -> Result<Vec<GiftRecord>, StoreError> {
    let found = sqlx::query("SELECT * FROM gifts WHERE room = ? AND sequence > ? ORDER BY sequence LIMIT ?")
        .bind(room.as_str())
        .bind(row::int(after.0))
        .bind(rows(limit))
        .fetch_all(&store.readers)
        .await?;
    found.iter().map(row::gift).collect()
}

pub(super) async fn sums(
    store: &SqliteStore,
    room: &RoomId,
    user: Option<&UserId>,
) -> Result<Vec<GiftSum>, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT currency, ");
    query.push(SUM_COLUMNS).push(" FROM gifts WHERE room = ").push_bind(room.as_str().to_owned());
    if let Some(user) = user {
        query.push(" AND user = ").push_bind(user.as_str().to_owned());
    }
    query.push(" GROUP BY currency ORDER BY currency NULLS FIRST LIMIT ").push_bind(rows(HISTORY_LIMIT_MAX));
    let found = query.build().fetch_all(&store.readers).await?;
    found.iter().map(row::gift_sum).collect()
}

pub(super) async fn ranking(
    store: &SqliteStore,
    room: &RoomId,
    currency: Option<&str>,
    limit: usize,
) -> Result<Vec<(UserId, GiftSum)>, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT user, currency, ");
    query
        .push(SUM_COLUMNS)
        .push(" FROM gifts WHERE room = ")
        .push_bind(room.as_str().to_owned())
        .push(" AND currency IS ")
        .push_bind(currency.map(str::to_owned))
        // The halves do not order as their sum does: carry the low one over.
        .push(
            " GROUP BY user ORDER BY SUM(amount_minor >> 32) + (SUM(amount_minor & 4294967295) >> 32) DESC,
              SUM(amount_minor & 4294967295) & 4294967295 DESC, user LIMIT ",
        )
        .push_bind(rows(limit));
    let found = query.build().fetch_all(&store.readers).await?;
    found.iter().map(|row| Ok((row::user(row, "user")?, row::gift_sum(row)?))).collect()
}
