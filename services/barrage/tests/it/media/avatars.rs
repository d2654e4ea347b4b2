//! Avatars of users who were erased.

use std::time::Duration;

use barrage_testkit::wait;
use serde_json::{Value, json};

use super::collection::{QUICK, blobs, call, folder_of, picture, wait_until_gone};
use super::site::Site;

const PATIENCE: Duration = Duration::from_secs(30);

/// Makes a picture of this size the avatar of the user, and returns the view of its upload.
async fn give(site: &Site, token: &str, size: &str) -> Value {
    let view = picture(site, token, size).await;
    let body = json!({ "digest": view["media"]["digest"] }).to_string();
    let answer =
        site.http.post(site.url("/v1/media/avatars")).bearer_auth(token).body(body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    view
}

async fn status(site: &Site, view: &Value) -> u16 {
    let address = site.url(&format!("/v1/avatars/{}", view["media"]["digest"].as_str().unwrap()));
    site.http.get(address).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn avatar_of_an_erased_user_goes_and_those_of_others_stay() {
    let site = Site::start(&QUICK).await;
    let (ann, bob) = (site.token("ann").await, site.token("bob").await);
    let admin = site.server.token("root", "*", "admin").await;
    let data = site.server.data_dir().to_owned();
    let letter = json!({ "type": "text", "id": "m1", "text": "hello" });
    let sent = call(&site, "/v1/users/bob/messages", &ann, letter).await;
    let path = format!("/v1/inbox?at_least={}&lane={}", sent["sequence"], sent["lane"]);
    assert_eq!(site.server.call("GET", &path, &bob, &Value::Null).await.status, 200, "ann has an inbox");
    let (of_ann, of_bob) = (give(&site, &ann, "192x96").await, give(&site, &bob, "80x64").await);
    // Past the time after which an unused medium goes.
    let unused = picture(&site, &ann, "64x64").await;
    wait_until_gone(&folder_of(&data, &unused)).await;
    assert_eq!((status(&site, &of_ann).await, status(&site, &of_bob).await), (200, 200));
    let erased = site.server.admin("POST", "/users/ann/inbox/erase", &admin, &Value::Null).await;
    assert_eq!((erased.status, &erased.body["more"]), (200, &json!(false)), "{erased:?}");
    wait::until_true(PATIENCE, "no avatar of ann", async || status(&site, &of_ann).await == 404).await;
    wait_until_gone(&folder_of(&data, &of_ann)).await;
    let pointers = walk(&data.join("media/blobs/avatars"));
    assert_eq!((pointers, status(&site, &of_bob).await), (1, 200));
    assert!(blobs(&folder_of(&data, &of_bob)).contains(&"record.json".to_owned()));
}

/// Returns the number of files in a folder and the folders in it.
fn walk(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    entries.map(|entry| if entry.path().is_dir() { walk(&entry.path()) } else { 1 }).sum()
}
