//! Check of the inbox: unread numbers of a sample of users equal a recount of the items.

use std::time::Duration;

use barrage_bus::nats::{Finding, Level};
use barrage_inbox::UserNumber;
use barrage_store::{InboxError, InboxStore, PostgresInbox, SqliteInbox};

use super::finding::finding;
use crate::config::Config;
use crate::roles::Roles;

/// Users that are recounted.
const USERS_MAX: usize = 1_000;
/// Longest recount; a longer one ends with the users that it has.
const LONGEST: Duration = Duration::from_secs(20);

/// Recounts a sample of users, from a random one on.
pub(super) async fn findings(config: &Config) -> Vec<Finding> {
    if !config.has_inbox(Roles::ALL) {
        return vec![finding(Level::Good, "inbox: letters are off")];
    }
    match look(config).await {
        Ok(None) => vec![finding(Level::Good, "inbox: there are no tables yet; the first start makes them")],
        Ok(Some(store)) => vec![recount(&*store).await],
        Err(error) => vec![finding(Level::Bad, format!("inbox: {error}{}", cause(&error)))],
    }
}

/// Opens the tables for reading; `None` before the first start.
async fn look(config: &Config) -> Result<Option<Box<dyn InboxStore>>, InboxError> {
    if let Some(postgres) = &config.postgres {
        let found = PostgresInbox::look(postgres).await?;
        return Ok(found.map(|store| Box::new(store) as Box<dyn InboxStore>));
    }
    let file = config.inbox.file.clone().unwrap_or_else(|| config.data_dir.join("inbox.sqlite"));
    let found = SqliteInbox::look(&file).await?;
    Ok(found.map(|store| Box::new(store) as Box<dyn InboxStore>))
}

async fn recount(store: &dyn InboxStore) -> Finding {
    let began = barrage_clock::now();
    let start = UserNumber(i64::from(rand::random::<u16>()));
    let (mut next, mut has_wrapped, mut users, mut wrong, mut errors) = (start, false, 0, 0, 0);
    while users < USERS_MAX && began.elapsed() < LONGEST && !(has_wrapped && next >= start) {
        match store.recount(next).await {
            Ok(Some(found)) if has_wrapped && found.number >= start => break,
            Ok(Some(found)) => {
                users += 1;
                wrong += usize::from(found.errors > 0);
                errors += found.errors;
                next = UserNumber(found.number.0 + 1);
            }
            Ok(None) if has_wrapped => break,
            Ok(None) => (next, has_wrapped) = (UserNumber(0), true),
            Err(error) => {
                return finding(
                    Level::Bad,
                    format!("inbox: it cannot be recounted: {error}{}", cause(&error)),
                );
            }
        }
    }
    if errors == 0 {
        return finding(Level::Good, format!("inbox: unread numbers of {users} users equal a recount"));
    }
    let text =
        format!("inbox: {errors} unread numbers of {wrong} users out of {users} differ from a recount");
    finding(Level::Bad, text)
}

fn cause(error: &InboxError) -> String {
    std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default()
}
