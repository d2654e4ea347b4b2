//! Accounts: names, passwords, sessions, limits.

use std::collections::BTreeSet;

use barrage_moderation::{Action, ListConfig, ListScope, ModerationConfig};
use barrage_token::Role;
use barrage_uplink::AccountsConfig;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::site::Site;

const PASSWORD: &str = "correct horse battery";

fn config() -> AccountsConfig {
    AccountsConfig {
        enabled: Some(true),
        hash_memory_kib: 8_192,
        hash_passes: 1,
        hash_wait_ms: 30_000,
        registrations_per_address_hour: 1_000,
        ..AccountsConfig::default()
    }
}

async fn start(accounts: AccountsConfig) -> Site {
    Site::with_accounts(accounts, ModerationConfig::default()).await
}

async fn call(site: &Site, path: &str, body: Value) -> (StatusCode, Value) {
    site.post_anonymous(&format!("/v1/accounts/{path}"), body).await
}

async fn register(site: &Site, name: &str) -> (StatusCode, Value) {
    call(site, "register", json!({ "name": name, "password": PASSWORD })).await
}

fn code(answer: &Value) -> &str {
    answer["error"]["code"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn an_account_posts_with_its_token_and_its_name() {
    let site = start(config()).await;
    let (status, made) = register(&site, " Ann\u{200B} ").await;
    assert_eq!((status, &made["name"]), (StatusCode::OK, &json!("Ann")), "{made}");
    let (_, me) = call(&site, "me", json!({ "session": made["session"], "avatar": "cat-7" })).await;
    assert_eq!((&me["user"], &me["avatar"], &me["session"]), (&made["user"], &json!("cat-7"), &Value::Null));
    let post = json!({ "type": "chat", "id": "m1", "text": "hi" });
    let token = me["token"].as_str().unwrap();
    let (status, answer) = site.call_with(token, Method::POST, "/v1/rooms/demo/messages", post).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let body: Value = serde_json::from_slice(&site.messages().await[0].body).unwrap();
    assert_eq!((&body["name"], &body["user"]), (&json!("Ann"), &made["user"]), "{body}");
    let (_, again) = call(&site, "login", json!({ "name": "ANN", "password": PASSWORD })).await;
    assert_eq!((&again["user"], &again["avatar"]), (&made["user"], &json!("cat-7")), "{again}");
    assert_ne!(again["session"], made["session"]);
}

#[tokio::test]
async fn no_other_sender_is_shown_under_the_name_of_an_account() {
    let site = start(config()).await;
    let guest = async |name: &str| site.post_anonymous("/v1/guest", json!({ "name": name })).await;
    let (_, early) = guest("Ann").await;
    let (_, ann) = register(&site, "Ann").await;
    let refused = |(status, answer): (StatusCode, Value), name: &str| {
        assert_eq!(
            (status, code(&answer)),
            (StatusCode::UNPROCESSABLE_ENTITY, "bad_text"),
            "{name:?} {answer}"
        );
        assert_eq!(answer["error"]["limit"]["rule"], "account_name", "{name:?}");
    };
    for name in ["Ann", "ANN", "Ａｎｎ", "А\u{6E}n", "A\u{200B}n.n", "Änn", "ann 😀"] {
        refused(guest(name).await, name);
    }
    for name in ["Anna", "弹幕", "😀😀"] {
        assert_eq!(guest(name).await.0, StatusCode::OK, "{name:?}");
    }
    let says = async |token: &str, id: &str| {
        let post = json!({ "type": "chat", "id": id, "text": "hi" });
        site.call_with(token, Method::POST, "/v1/rooms/demo/messages", post).await
    };
    refused(says(early["token"].as_str().unwrap(), "m1").await, "a guest from before the registration");
    refused(says(&site.token("ANN", Role::Viewer), "m2").await, "a token of another backend");
    let own = says(ann["token"].as_str().unwrap(), "m3").await;
    assert_eq!(own.0, StatusCode::OK, "{own:?}");
    let host = says(&site.token("ann", Role::Host), "m4").await;
    assert_eq!(host.0, StatusCode::OK, "those who run a room are not compared: {host:?}");
    assert_eq!(site.messages().await.len(), 2);
}

#[tokio::test]
async fn hostile_names_and_passwords_are_refused() {
    let list = ListConfig {
        name: "hosts".into(),
        file: None,
        action: Action::Refuse,
        shadow: false,
        scope: ListScope::Names,
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hosts");
    std::fs::write(&file, "streamer\n").unwrap();
    let lists = vec![ListConfig { file: Some(file), ..list }];
    let site = Site::with_accounts(config(), ModerationConfig { lists, ..Default::default() }).await;
    assert_eq!(register(&site, "Ann").await.0, StatusCode::OK);
    for name in ["Ann", "ann", "А\u{6E}n", "Ａｎｎ", "A\u{0}nn", "A-n-n"] {
        let (status, answer) = register(&site, name).await;
        assert_eq!((status, code(&answer)), (StatusCode::CONFLICT, "conflict"), "{name:?}");
    }
    for name in ["", "\u{0}", "😀", "Stre\u{430}mer", &"x".repeat(21)] {
        assert_eq!(code(&register(&site, name).await.1), "bad_text", "{name:?}");
    }
    let password = async |password: String| {
        call(&site, "register", json!({ "name": "Bob", "password": password })).await.1
    };
    for bad in ["short".to_owned(), "nul\u{0}in-it-all".into(), "x".repeat(1_025)] {
        let answer = password(bad).await;
        assert_eq!(code(&answer), "bad_request");
        assert!(answer["error"]["message"].as_str().unwrap().starts_with("password"), "{answer}");
    }
    assert_eq!(code(&password("x".repeat(100_000)).await), "too_large");
    let (_, unknown) =
        call(&site, "register", json!({ "name": "Bob", "password": PASSWORD, "role": "admin" })).await;
    assert_eq!(code(&unknown), "bad_request");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_registrations_of_a_name_succeeds() {
    let site = start(AccountsConfig { hashes_max: 4, ..config() }).await;
    let names = ["Zoe", "zoe", "ZOE", "Z.o.e", "Ｚｏｅ", "Zoë", "zOe", "z-oe"];
    let answers = futures_util::future::join_all(names.iter().map(|name| register(&site, name))).await;
    let made = answers.iter().filter(|(status, _)| *status == StatusCode::OK).count();
    let refused = answers.iter().filter(|(_, answer)| code(answer) == "conflict").count();
    assert_eq!((made, refused), (1, names.len() - 1), "{answers:?}");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_cannot_be_told_apart() {
    let limits = AccountsConfig { logins_per_name_min: 100, logins_per_address_min: 100, ..config() };
    let site = start(AccountsConfig { hash_passes: 4, ..limits }).await;
    register(&site, "Ann").await;
    let login = async |name: &str, password: &str| {
        let began = barrage_clock::now();
        let (_, answer) = call(&site, "login", json!({ "name": name, "password": password })).await;
        assert_eq!(code(&answer), "unauthorized");
        (began.elapsed(), answer)
    };
    // The first login makes the hash for unknown names.
    login("warm", PASSWORD).await;
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    // The fastest of a dozen: tests share the machine.
    for n in 0..12 {
        let (took, wrong) = login("Ann", "another password").await;
        known.push(took);
        let (took, nobody) = login(&format!("nobody{n}"), PASSWORD).await;
        unknown.push(took);
        assert_eq!(wrong["error"]["message"], nobody["error"]["message"]);
    }
    let (known, unknown) = (known.iter().min().unwrap(), unknown.iter().min().unwrap());
    let ratio = known.as_secs_f64() / unknown.as_secs_f64();
    assert!((0.5..2.0).contains(&ratio), "known {known:?}, unknown {unknown:?}");
}

#[tokio::test]
async fn sessions_are_listed_and_ended_and_never_adopted() {
    let site = start(AccountsConfig { sessions_max: 3, ..config() }).await;
    let (_, first) = register(&site, "Ann").await;
    let (_, other) = register(&site, "Bob").await;
    let login = async || call(&site, "login", json!({ "name": "Ann", "password": PASSWORD })).await.1;
    let second = login().await;
    let of = |answer: &Value| json!({ "session": answer["session"] });
    let listed = async |by: &Value| {
        let (_, answer) = call(&site, "sessions", of(by)).await;
        let sessions = answer["sessions"].as_array().cloned().unwrap_or_default();
        sessions.iter().map(|session| session["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(listed(&first).await, [second["session_id"].clone(), first["session_id"].clone()]);
    let foreign = json!({ "session": other["session"], "id": first["session_id"] });
    assert_eq!(call(&site, "logout", foreign).await.0, StatusCode::NOT_FOUND, "of another account");
    let end_first = json!({ "session": second["session"], "id": first["session_id"] });
    assert_eq!(call(&site, "logout", end_first).await.1, json!({ "ended": 1 }));
    assert_eq!(call(&site, "me", of(&first)).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(call(&site, "me", of(&second)).await.0, StatusCode::OK);
    let (third, fourth, fifth) = (login().await, login().await, login().await);
    assert_eq!(call(&site, "me", of(&second)).await.0, StatusCode::UNAUTHORIZED, "the oldest of four");
    assert_eq!(listed(&third).await.len(), 3);
    assert_eq!(call(&site, "logout", of(&fourth)).await.1, json!({ "ended": 1 }));
    let all = json!({ "session": fifth["session"], "all": true });
    assert_eq!(call(&site, "logout", all).await.1, json!({ "ended": 2 }));
    for ended in [&third, &fourth, &fifth] {
        assert_eq!(call(&site, "me", of(ended)).await.0, StatusCode::UNAUTHORIZED);
    }
    let chosen = json!({ "name": "Ann", "password": PASSWORD, "session": third["session"] });
    assert_eq!(code(&call(&site, "login", chosen).await.1), "bad_request", "no client chooses a session");
    for secret in ["", "bs-0", &"x".repeat(5_000), "' OR 1=1 --"] {
        assert_eq!(code(&call(&site, "me", json!({ "session": secret })).await.1), "unauthorized");
    }
}

#[tokio::test]
async fn tokens_in_a_row_store_the_use_of_a_session_once_in_a_minute() {
    let site = start(config()).await;
    let (_, made) = register(&site, "Ann").await;
    let of = json!({ "session": made["session"] });
    let used_at_ms = async || {
        let (_, answer) = call(&site, "sessions", of.clone()).await;
        answer["sessions"][0]["used_at_ms"].as_u64().unwrap()
    };
    let began_ms = used_at_ms().await;
    for _ in 0..3 {
        assert_eq!(call(&site, "me", of.clone()).await.0, StatusCode::OK);
    }
    assert_eq!(used_at_ms().await, began_ms);
    let id = made["session_id"].as_str().unwrap();
    site.store.account_store().use_session(id, began_ms + 1).await.unwrap();
    assert_eq!(used_at_ms().await, began_ms + 1, "a later use is stored");
}

#[tokio::test]
async fn a_revocation_ends_the_sessions_that_began_before() {
    let site = start(config()).await;
    let (_, made) = register(&site, "Ann").await;
    let path = format!("/v1/admin/users/{}/revoke", made["user"].as_str().unwrap());
    let boss = ("boss", Role::Admin);
    assert_eq!(site.call(boss, Method::POST, &path, Value::Null).await.0, StatusCode::OK);
    site.follow_revocations();
    let (status, _) = call(&site, "me", json!({ "session": made["session"] })).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn logins_are_limited_by_name_and_by_address() {
    let accounts = AccountsConfig { logins_per_name_min: 3, logins_per_address_min: 8, ..config() };
    let site = start(accounts).await;
    register(&site, "Ann").await;
    let rule = async |name: &str| {
        let (_, answer) = call(&site, "login", json!({ "name": name, "password": "wrong password" })).await;
        answer["error"]["limit"]["rule"].as_str().unwrap_or_else(|| code(&answer)).to_owned()
    };
    let mut rules = Vec::new();
    for name in ["Ann", "ann", "A.nn", "ANN", "b1", "b2", "b3", "b4", "b5"] {
        rules.push(rule(name).await);
    }
    assert_eq!(rules[..4], ["unauthorized", "unauthorized", "unauthorized", "logins_per_name_min"]);
    assert_eq!(rules[8], "logins_per_address_min", "{rules:?}");
}

#[tokio::test]
async fn accounts_that_are_off_refuse_and_say_so() {
    let site = start(AccountsConfig { enabled: None, ..config() }).await;
    let info = site.get_json("/v1/accounts").await;
    assert_eq!((&info["enabled"], &info["registration"]), (&json!(false), &json!(false)), "{info}");
    let mut codes = BTreeSet::new();
    codes.insert(code(&register(&site, "Ann").await.1).to_owned());
    for path in ["me", "sessions", "logout"] {
        codes.insert(code(&call(&site, path, json!({ "session": "bs-0" })).await.1).to_owned());
    }
    assert_eq!(codes.into_iter().collect::<Vec<_>>(), ["forbidden"]);
    let closed = start(AccountsConfig { registration: false, ..config() }).await;
    let info = closed.get_json("/v1/accounts").await;
    assert_eq!((&info["enabled"], &info["registration"]), (&json!(true), &json!(false)), "{info}");
    assert_eq!(code(&register(&closed, "Ann").await.1), "forbidden");
}

#[tokio::test]
async fn a_new_password_ends_all_other_sessions() {
    let site = start(config()).await;
    let (_, made) = register(&site, "Ann").await;
    let (_, other) = call(&site, "login", json!({ "name": "Ann", "password": PASSWORD })).await;
    let change = async |session: &Value, password: &str, new: &str| {
        let body = json!({ "session": session, "password": password, "new_password": new });
        call(&site, "password", body).await.1
    };
    assert_eq!(code(&change(&made["session"], "a wrong password", "another horse").await), "unauthorized");
    let short = change(&made["session"], PASSWORD, "short").await;
    assert_eq!(code(&short), "bad_request");
    assert!(short["error"]["message"].as_str().unwrap().starts_with("new_password: "), "{short}");
    assert_eq!(call(&site, "me", json!({ "session": other["session"] })).await.0, StatusCode::OK);

    assert_eq!(change(&made["session"], PASSWORD, "another horse").await, json!({ "ended": 1 }));
    assert_eq!(code(&call(&site, "me", json!({ "session": other["session"] })).await.1), "unauthorized");
    assert_eq!(call(&site, "me", json!({ "session": made["session"] })).await.0, StatusCode::OK);
    let login =
        async |password: &str| call(&site, "login", json!({ "name": "Ann", "password": password })).await;
    assert_eq!(code(&login(PASSWORD).await.1), "unauthorized");
    assert_eq!(login("another horse").await.0, StatusCode::OK);
    assert_eq!(code(&change(&json!("bs-0"), "another horse", PASSWORD).await), "unauthorized");
}

#[tokio::test]
async fn guesses_of_a_password_by_a_session_count_as_logins() {
    let site = start(AccountsConfig { logins_per_name_min: 2, ..config() }).await;
    let (_, made) = register(&site, "Ann").await;
    let body = json!({ "session": made["session"], "password": "a guess", "new_password": "another horse" });
    for _ in 0..2 {
        assert_eq!(code(&call(&site, "password", body.clone()).await.1), "unauthorized");
    }
    let (_, refused) = call(&site, "password", body).await;
    assert_eq!(code(&refused), "rate_limited", "{refused}");
    assert!(refused["error"]["retry_after_ms"].as_u64().is_some_and(|ms| ms > 0), "{refused}");
}
