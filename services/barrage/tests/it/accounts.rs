//! Accounts of a real server: on in the demo, off elsewhere, and durable over `kill -9`.

use barrage_client::{Accounts, ConnectError, HttpPool, Sender, SenderConfig};
use barrage_protocol::Code;
use barrage_protocol::account::{LoginRequest, MeRequest, SecretText};
use barrage_protocol::post::{Outcome, Post};
use barrage_testkit::{Server, ServerOptions};

use crate::support::{BINARY, start};

fn accounts(server: &Server) -> Accounts {
    Accounts::new(&HttpPool::new(), &format!("http://{}", server.public))
}

fn request(name: &str) -> LoginRequest {
    LoginRequest { name: name.into(), password: SecretText::new("correct horse battery".into()) }
}

#[tokio::test]
async fn demo_has_accounts_whose_sessions_survive_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let options = ServerOptions {
        arguments: vec!["--demo".into()],
        data_dir: Some(folder.path().join("data")),
        ..ServerOptions::default()
    };
    let mut server = Server::start(BINARY, options.clone()).await;
    let info = accounts(&server).info().await.unwrap();
    assert!(info.enabled && info.registration, "{info:?}");
    let made = accounts(&server).register(&request("Ann")).await.unwrap();
    server.kill().await;
    let server = Server::start(BINARY, options).await;
    let me = MeRequest { session: made.session.clone().unwrap(), avatar: None };
    let me = accounts(&server).me(&me).await.unwrap();
    assert_eq!((&me.user, me.name.as_str()), (&made.user, "Ann"));
    let config = SenderConfig::new(format!("http://{}", server.public), me.token.expose());
    let post = Post::chat("m1".parse().unwrap(), "hi");
    let answer = Sender::new(config).unwrap().send(&"demo".parse().unwrap(), &post).await.unwrap();
    assert_eq!(answer.outcome, Outcome::Broadcast, "{answer:?}");
    match accounts(&server).register(&request("АNN")).await {
        Err(ConnectError::Refused(refusal)) => assert_eq!(refusal.code, Code::Conflict),
        other => panic!("a look-alike has an account: {other:?}"),
    }
}

#[tokio::test]
async fn a_server_has_no_accounts_unless_it_is_told_so() {
    let server = start().await;
    assert!(!accounts(&server).info().await.unwrap().enabled);
    match accounts(&server).register(&request("Ann")).await {
        Err(ConnectError::Refused(refusal)) => assert_eq!(refusal.code, Code::Forbidden),
        other => panic!("accounts are on: {other:?}"),
    }
}
