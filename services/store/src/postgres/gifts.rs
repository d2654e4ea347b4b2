//! Inserts into the gift ledger in PostgreSQL, a whole batch in one statement.

use sqlx::PgConnection;

use super::dialect::storable;
use crate::error::StoreError;
use crate::records::gift::GiftRecord;
use crate::sql::page::int;

/// Inserts rows in the order of their keys, so that two writers of the same gifts cannot deadlock.
/// Rows that are stored already stay as they are.
pub(super) async fn insert(
    connection: &mut PgConnection,
    gifts: impl Iterator<Item = &GiftRecord>,
) -> Result<(), StoreError> {
    let mut gifts: Vec<&GiftRecord> = gifts.collect();
    if gifts.is_empty() {
        return Ok(());
    }
    gifts.sort_by_key(|gift| (&gift.room, gift.sequence));
    let ints = |of: fn(&GiftRecord) -> u64| gifts.iter().map(|gift| int(of(gift))).collect::<Vec<_>>();
    let combos = gifts.iter().map(|gift| gift.combo.map(i64::from));
    let currencies = gifts.iter().map(|gift| gift.currency.as_deref().map(storable));
    sqlx::query(
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
    .bind(gifts.iter().map(|gift| storable(&gift.name)).collect::<Vec<_>>())
    .bind(ints(|gift| u64::from(gift.count)))
    .bind(ints(|gift| gift.price_minor))
    .bind(ints(GiftRecord::amount_minor))
    .bind(currencies.collect::<Vec<_>>())
    .bind(combos.collect::<Vec<_>>())
    .bind(ints(|gift| gift.at_ms))
    .execute(connection)
    .await?;
    Ok(())
}
