//! One account a name, and sessions that end.

use std::sync::Arc;

use barrage_store::{AccountRecord, SessionRecord, Store};

use super::user;

fn account(id: &str, key: &str) -> AccountRecord {
    AccountRecord {
        user: user(id),
        name: format!("{key} 弹幕 \u{0}"),
        name_key: key.into(),
        avatar: None,
        password_hash: "$argon2id$v=19$m=8192,t=1,p=1$c2FsdA$aGFzaA".into(),
        created_at_ms: 7,
    }
}

fn session(id: &str, of: &str, created_at_ms: u64) -> SessionRecord {
    let secret_hash = format!("hash-{id}");
    let expires_at_ms = created_at_ms + 1_000;
    SessionRecord {
        id: id.into(),
        user: user(of),
        secret_hash,
        created_at_ms,
        used_at_ms: created_at_ms,
        expires_at_ms,
    }
}

pub(crate) async fn a_name_has_one_account(store: Arc<dyn Store>) {
    let accounts = store.account_store();
    assert_eq!(accounts.account_by_name("ann").await.unwrap(), None);
    let (one, other) = (account("a1", "ann"), account("a2", "ann"));
    let (one, other) = tokio::join!(accounts.create_account(&one), accounts.create_account(&other));
    assert_ne!(one.unwrap(), other.unwrap(), "one of two at the same time");
    assert!(!accounts.create_account(&account("a3", "ann")).await.unwrap());
    let stored = accounts.account_by_name("ann").await.unwrap().unwrap();
    assert!(stored.name.starts_with("ann 弹幕") && stored.created_at_ms == 7, "{}", stored.name);
    assert!(
        !accounts.create_account(&AccountRecord { name_key: "bob".into(), ..stored.clone() }).await.unwrap()
    );
    accounts.set_avatar(&stored.user, Some("cat-7")).await.unwrap();
    let with = accounts.account_by_name("ann").await.unwrap().unwrap();
    assert_eq!(with, AccountRecord { avatar: Some("cat-7".into()), ..stored.clone() });
    accounts.set_avatar(&stored.user, None).await.unwrap();
    assert_eq!(accounts.account_by_name("ann").await.unwrap(), Some(stored));
}

pub(crate) async fn sessions_end_by_time_by_number_and_by_name(store: Arc<dyn Store>) {
    let accounts = store.account_store();
    accounts.create_account(&account("a1", "ann")).await.unwrap();
    accounts.create_account(&account("b1", "bob")).await.unwrap();
    for (id, of) in [("s1", "a1"), ("s2", "a1"), ("t1", "b1"), ("s3", "a1"), ("s4", "a1")] {
        accounts.open_session(&session(id, of, 100), 3).await.unwrap();
    }
    let ids = async |of: &str, now_ms| {
        let sessions = accounts.sessions(&user(of), now_ms).await.unwrap();
        sessions.into_iter().map(|session| session.id).collect::<Vec<_>>()
    };
    assert_eq!(ids("a1", 200).await, ["s4", "s3", "s2"], "the oldest of four has ended");
    assert_eq!(accounts.session("hash-s1", 200).await.unwrap(), None);
    let (found, of) = accounts.session("hash-s2", 200).await.unwrap().unwrap();
    assert_eq!((found, of.name_key.as_str()), (session("s2", "a1", 100), "ann"));
    assert_eq!(accounts.session("hash-s2", 1_100).await.unwrap(), None, "its time is over");
    accounts.use_session("s2", 300).await.unwrap();
    accounts.use_session("s2", 200).await.unwrap();
    assert_eq!(accounts.session("hash-s2", 400).await.unwrap().unwrap().0.used_at_ms, 300);
    assert_eq!(accounts.end_sessions(&user("a1"), Some("t1")).await.unwrap(), 0, "of another account");
    assert_eq!(accounts.end_sessions(&user("a1"), Some("s3")).await.unwrap(), 1);
    assert_eq!((ids("a1", 200).await, ids("b1", 200).await.len()), (vec!["s4".into(), "s2".to_owned()], 1));
    assert_eq!(accounts.set_password(&user("a1"), "$argon2id$new", "s4").await.unwrap(), 1);
    assert_eq!((ids("a1", 200).await, ids("b1", 200).await.len()), (vec!["s4".to_owned()], 1));
    let passwords = [
        accounts.account_by_name("ann").await.unwrap().unwrap().password_hash,
        accounts.account_by_name("bob").await.unwrap().unwrap().password_hash,
    ];
    assert_eq!((passwords[0].as_str(), passwords[1] == passwords[0]), ("$argon2id$new", false));
    assert_eq!(accounts.end_sessions(&user("a1"), None).await.unwrap(), 1);
    // A later login deletes what has ended, of all accounts.
    accounts.open_session(&session("s5", "a1", 5_000), 3).await.unwrap();
    assert_eq!((ids("b1", 0).await.len(), ids("a1", 5_001).await.len()), (0, 1));
}
