//! The gift ledger.

use barrage_protocol::{RoomId, Sequence, UserId};
use sqlx::PgConnection;

use super::{PostgresStore, value};
use crate::archive::rows;
use crate::row;
use crate::{GiftRecord, GiftSum, HISTORY_LIMIT_MAX, StoreError};

/// In the order of their keys, so that two writers of the same gifts wait for
/// each other but never in a circle.
pub(super) async fn insert(
    connection: &mut PgConnection,
    gifts: impl Iterator<Item = &GiftRecord>,
) -> Result<u64, StoreError> {
    let mut gifts: Vec<&GiftRecord> = gifts.collect();
    if gifts.is_empty() {
        return Ok(0);
    }
    gifts.sort_by_key(|gift| (&gift.room, gift.sequence));
    let ints = |of: fn(&GiftRecord) -> u64| gifts.iter().map(|gift| row::int(of(gift))).collect::<Vec<_>>();
    let combos = gifts.iter().map(|gift| gift.combo.map(i64::from));
    let currencies = gifts.iter().map(|gift| gift.currency.as_deref().map(value::text));
    let done = sqlx::query(
        "INSERT INTO gifts (sequence, room, user_id, kind, name, count, price_minor,
            amount_minor, currency, combo, at_ms)
         SELECT * FROM UNNEST($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[],
            $7::bigint[], $8::bigint[], $9::text[], $10::bigint[], $11::bigint[])
         ON CONFLICT (room, sequence) DO NOTHING",
    )
    .bind(ints(|gift| gift.sequence.0))
    .bind(gifts.iter().map(|gift| gift.room.as_str()).collect::<Vec<_>>())
    .bind(gifts.iter().map(|gift| gift.user.as_str()).collect::<Vec<_>>())
    .bind(gifts.iter().map(|gift| gift.kind.label()).collect::<Vec<_>>())
    .bind(gifts.iter().map(|gift| value::text(&gift.name)).collect::<Vec<_>>())
    .bind(ints(|gift| u64::from(gift.count)))
    .bind(ints(|gift| gift.price_minor))
    .bind(ints(GiftRecord::amount_minor))
    .bind(currencies.collect::<Vec<_>>())
    .bind(combos.collect::<Vec<_>>())
    .bind(ints(|gift| gift.at_ms))
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

pub(super) async fn record(store: &PostgresStore, gifts: &[GiftRecord]) -> Result<u64, StoreError> {
    insert(&mut *store.pool.acquire().await?, gifts.iter()).await
}

/// The room is a range for the reason that the archive's history gives.
pub(super) async fn list(
    store: &PostgresStore,
    room: &RoomId,
    after: Sequence,
    limit: usize,
) -> Result<Vec<GiftRecord>, StoreError> {
    let found = sqlx::query(
        r#"SELECT *, user_id AS "user" FROM gifts
           WHERE (room, sequence) > ($1, $2) AND room <= $1
           ORDER BY room, sequence LIMIT $3"#,
    )
    .bind(room.as_str())
    .bind(row::int(after.0))
    .bind(rows(limit))
    .fetch_all(&store.pool)
    .await?;
    found.iter().map(row::gift).collect()
}

/// A sum of integers is a NUMERIC, without bound, and is read in two halves.
pub(super) async fn sums(
    store: &PostgresStore,
    room: &RoomId,
    user: Option<&UserId>,
) -> Result<Vec<GiftSum>, StoreError> {
    let found = sqlx::query(
        "SELECT currency, COUNT(*) AS entries, SUM(count)::bigint AS count,
            SUM(amount_minor >> 32)::bigint AS amount_high,
            SUM(amount_minor & 4294967295)::bigint AS amount_low
         FROM gifts WHERE room = $1 AND ($2::text IS NULL OR user_id = $2)
         GROUP BY currency ORDER BY currency NULLS FIRST LIMIT $3",
    )
    .bind(room.as_str())
    .bind(user.map(UserId::as_str))
    .bind(rows(HISTORY_LIMIT_MAX))
    .fetch_all(&store.pool)
    .await?;
    found.iter().map(row::gift_sum).collect()
}

pub(super) async fn ranking(
    store: &PostgresStore,
    room: &RoomId,
    currency: Option<&str>,
    limit: usize,
) -> Result<Vec<(UserId, GiftSum)>, StoreError> {
    let found = sqlx::query(
        r#"SELECT user_id AS "user", currency, COUNT(*) AS entries, SUM(count)::bigint AS count,
            SUM(amount_minor >> 32)::bigint AS amount_high,
            SUM(amount_minor & 4294967295)::bigint AS amount_low
         FROM gifts WHERE room = $1 AND currency IS NOT DISTINCT FROM $2
         GROUP BY user_id, currency ORDER BY SUM(amount_minor) DESC, user_id LIMIT $3"#,
    )
    .bind(room.as_str())
    .bind(currency.map(value::text))
    .bind(rows(limit))
    .fetch_all(&store.pool)
    .await?;
    found.iter().map(|row| Ok((row::user(row, "user")?, row::gift_sum(row)?))).collect()
}
