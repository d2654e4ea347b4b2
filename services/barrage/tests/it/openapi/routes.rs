//! Every route of the sources is described with its methods, and nothing else is.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use barrage_testkit::Server;
use barrage_testkit::process::free_address;
use serde_json::Value;

use crate::route_paths;
use crate::support::start_with;

/// Without HEAD, which every route of GET takes.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// A listener, method and path.
type Place = (&'static str, String, String);

/// Returns the places of a document. Those of media are on listeners of their own.
fn described(document: &Value, listener: &'static str) -> BTreeSet<Place> {
    let mut places = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let is_of_media = operation["tags"][0] == "media" && !path.starts_with("/v1/admin/");
            let listener = if is_of_media { "media" } else { listener };
            if method != "head" {
                places.insert((listener, method.to_uppercase(), path.clone()));
            }
        }
    }
    places
}

/// Asks a listener for each method of each path. A method that the path does not take is answered
/// with 405, and a path that the listener does not have with 404 and the code `not_found`.
async fn served(
    server: &Server,
    listener: &'static str,
    address: SocketAddr,
    token: &str,
) -> BTreeSet<Place> {
    let http = reqwest::Client::new();
    let mut places = BTreeSet::new();
    for path in route_paths::all() {
        let url = path.replace("{room}", "demo").replace("{sequence}", "1").replace(['{', '}'], "");
        for method in METHODS {
            let request = http.request(method.parse().unwrap(), format!("http://{address}{url}"));
            let request = request.bearer_auth(token).body(r#"{"unknown": 1}"#);
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            let is_missing = status == 404 && is_unknown_path(answer).await;
            // Changes the room with the id `top`, as the path of any room does.
            let is_of_a_room = method == "PUT" && path == "/v1/admin/top-rooms";
            if status != 405 && !is_missing && !is_of_a_room {
                places.insert((listener, method.to_owned(), path.clone()));
            }
        }
    }
    assert_eq!(server.get("/v1/openapi.json").await.status, 200, "the server is alive");
    places
}

async fn is_unknown_path(answer: reqwest::Response) -> bool {
    let body: Value = answer.json().await.unwrap_or_default();
    body["error"]["message"].as_str().unwrap_or_default().starts_with("no such resource")
}

#[tokio::test]
async fn document_has_exactly_the_routes_of_the_listeners() {
    let media = free_address();
    let server = start_with(&[("MEDIA__LISTEN", &format!("[\"{media}\"]"))]).await;
    let token = server.token("a", "*", "admin").await;
    let http = reqwest::Client::new();
    let url = format!("http://{}/v1/openapi.json", server.admin);
    let admin: Value = http.get(url).send().await.unwrap().json().await.unwrap();
    let public = server.get("/v1/openapi.json").await.body;
    let public_places = described(&public, "public");
    let mut served_places = served(&server, "public", server.public, &token).await;
    served_places.extend(served(&server, "media", media, &token).await);
    assert_eq!(public_places, served_places);
    let mut of_admin = described(&admin, "admin");
    // The admin listener describes all, and serves its own.
    let is_own = |(_, _, path): &Place| path == "/v1/openapi.json" || !public["paths"][path].is_object();
    of_admin.retain(is_own);
    let mut served_by_admin = served(&server, "admin", server.admin, &token).await;
    // It serves signed addresses as the media listener does: the console shows what waits by them.
    let signed = ("admin", "GET".to_owned(), "/v1/media/{digest}/{variant}".to_owned());
    assert!(served_by_admin.remove(&signed), "{served_by_admin:?}");
    assert_eq!(of_admin, served_by_admin);
    assert!(public_places.len() >= 12 && of_admin.len() >= 30, "{public_places:?} {of_admin:?}");
}

/// Whether a request may fit both paths: at each place, the parts are equal or one is a parameter.
fn collide(one: &str, other: &str) -> bool {
    let is_parameter = |part: &str| part.starts_with('{');
    one.matches('/').count() == other.matches('/').count()
        && one.split('/').zip(other.split('/')).all(|(a, b)| a == b || is_parameter(a) || is_parameter(b))
}

#[test]
fn no_request_fits_the_paths_of_two_routes() {
    assert!(collide("/rooms/{room}", "/rooms/top") && !collide("/rooms/{room}", "/rooms/{room}/mute"));
    let paths: Vec<_> = route_paths::all().into_iter().collect();
    // The server makes the ids of uploads, of hexadecimal digits: none is the name of a route.
    let is_made_here = |path: &&String| !path.contains("{upload}");
    for (at, one) in paths.iter().enumerate() {
        for other in paths[at + 1..].iter().filter(is_made_here) {
            assert!(!collide(one, other), "a room or user may have the name of a route: {one}, {other}");
        }
    }
}
