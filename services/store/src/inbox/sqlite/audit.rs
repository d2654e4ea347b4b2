//! Recounts unread numbers from the items.

use barrage_inbox::UserNumber;
use rusqlite::Connection;

use super::read::{all, one};
use crate::inbox::error::InboxError;
use crate::inbox::parse;
use crate::inbox::recount::{Recount, recount_query};

pub(super) fn recount(connection: &mut Connection, from: UserNumber) -> Result<Option<Recount>, InboxError> {
    let snapshot = connection.transaction()?;
    let next = format!("SELECT {} FROM inbox_users WHERE n >= ?1 ORDER BY n LIMIT 1", parse::USER);
    let Some(user) = one(&snapshot, &next, [from.0], |row| parse::user(row))? else { return Ok(None) };
    let rows = all(&snapshot, &recount_query("?1"), [user.number.0], |row| parse::counted(row))?;
    Ok(Some(Recount::of(&user, &rows)))
}
