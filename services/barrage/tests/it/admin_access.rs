//! Every admin route of every role requires a token of the role admin for the room.

use std::collections::BTreeSet;

use barrage_testkit::{Server, ServerOptions};
use serde_json::json;

use crate::route_paths;
use crate::support::{BINARY, start_with};

/// Returns every admin route, such as `/rooms/{room}/mute`.
fn routes() -> BTreeSet<String> {
    let paths = route_paths::all();
    paths.iter().filter_map(|path| path.strip_prefix("/v1/admin")).map(str::to_owned).collect()
}

/// Returns a path of the route: the room is `demo`, and other parameters have any value.
fn path(route: &str) -> String {
    let value = |part: &str| match part {
        "{room}" => "demo".to_owned(),
        "{sequence}" => "1".to_owned(),
        part if part.starts_with('{') => "x".to_owned(),
        part => part.to_owned(),
    };
    route.split('/').map(value).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn admin_routes_refuse_other_roles_and_other_rooms() {
    let routes = routes();
    assert!(routes.len() >= 20, "the sources have fewer routes than expected: {routes:?}");
    let server = start_with(&[("MEDIA__LISTEN", "[\"127.0.0.1:0\"]")]).await;
    let moderator = server.token("m", "*", "moderator").await;
    let other = server.token("a", "other", "admin").await;
    let demo = server.token("a", "demo", "admin").await;
    let everywhere = server.token("a", "*", "admin").await;
    let mut calls = 0;
    for route in &routes {
        for method in ["GET", "PUT", "POST", "DELETE"] {
            let path = path(route);
            // 429 counts as a refusal, because refusals are limited by address.
            let call = async |token: &str| server.admin(method, &path, token, &json!({"unknown": 1})).await;
            let allowed = call(&everywhere).await;
            assert!(![401, 403].contains(&allowed.status), "{method} {route}: {allowed:?}");
            if allowed.status == 405 {
                continue;
            }
            calls += 1;
            let of_demo = call(&demo).await;
            let is_of_room = route.contains("{room}");
            assert_eq!(of_demo.status == 403 || of_demo.status == 429, !is_of_room, "{method} {route}");
            for token in ["", &moderator, &other] {
                let refused = call(token).await;
                assert!([401, 403, 429].contains(&refused.status), "{method} {route}: {refused:?}");
            }
        }
    }
    assert!(calls >= 25, "{calls}");
    let refused = server.metric("barrage_http_admin_refused_total").await;
    assert!(refused >= f64::from(3 * calls), "{refused}");
}

#[tokio::test]
async fn token_of_another_room_is_refused_as_wrong_room_and_logged_without_the_address() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let server =
        Server::start(BINARY, ServerOptions { log: Some(log.clone()), ..ServerOptions::default() }).await;
    let other = server.token("a", "other", "admin").await;
    let mute = server.admin("POST", "/rooms/demo/mute", &other, &json!({"user": "u", "secs": 9})).await;
    assert_eq!((mute.status, mute.code()), (403, "wrong_room"));
    for (method, path) in [("GET", "/audit"), ("GET", "/fleet"), ("PUT", "/switches/joins_stopped")] {
        let answer = server.admin(method, path, &other, &json!({"value": true})).await;
        assert_eq!((answer.status, answer.code()), (403, "wrong_room"), "{path}");
    }
    let made = server.admin("PUT", "/rooms/other", &other, &json!({})).await;
    assert_eq!(made.status, 201, "{made:?}");
    let log = std::fs::read_to_string(log).unwrap();
    let refused: Vec<_> = log.lines().filter(|line| line.contains("an admin call was refused")).collect();
    assert_eq!(refused.len(), 4, "{log}");
    assert!(refused.iter().all(|line| line.contains("127.0.0.0/24") && line.contains("room")), "{log}");
    let signature = other.rsplit('.').next().unwrap();
    assert!(!log.contains(signature) && !log.contains("127.0.0.1"), "{log}");
}
