//! Recounts unread numbers from the items.

use barrage_inbox::UserNumber;
use sqlx::{AssertSqlSafe, PgPool};

use crate::inbox::error::InboxError;
use crate::inbox::parse;
use crate::inbox::recount::{Recount, recount_query};

pub(super) async fn recount(pool: &PgPool, from: UserNumber) -> Result<Option<Recount>, InboxError> {
    let mut snapshot = pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let next = format!("SELECT {} FROM inbox_users WHERE n >= $1 ORDER BY n LIMIT 1", parse::USER);
    let found = sqlx::query(AssertSqlSafe(next)).bind(from.0).fetch_optional(&mut *snapshot).await?;
    let Some(user) = found.as_ref().map(parse::user).transpose()? else { return Ok(None) };
    let rows = sqlx::query(AssertSqlSafe(recount_query("$1"))).bind(user.number.0);
    let rows = rows.fetch_all(&mut *snapshot).await?;
    snapshot.rollback().await?;
    let rows = rows.iter().map(parse::counted).collect::<Result<Vec<_>, _>>()?;
    Ok(Some(Recount::of(&user, &rows)))
}
