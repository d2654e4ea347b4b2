//! Notifications of a whole server, whose push service a test plays.

use std::time::Duration;

use barrage_protocol::frame::ServerFrame;
use barrage_testkit::{Frame, PushServices, RawSocket, Server, ServerOptions, certificates, wait};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::BINARY;

/// Longest wait for a notification, which is due after five seconds, on a loaded machine.
const SOON: Duration = Duration::from_secs(40);

/// A push service, and the settings of a server that sends to it.
struct Site {
    services: PushServices,
    options: ServerOptions,
    _folder: TempDir,
}

impl Site {
    async fn start() -> Site {
        let folder = TempDir::new().unwrap();
        certificates::make(folder.path());
        let services = PushServices::start(folder.path()).await;
        let set = |name: &str, value: &str| (format!("BARRAGE_{name}"), value.to_owned());
        let environment = vec![
            set("CA_FILE", &folder.path().join("ca.pem").to_string_lossy()),
            set("PUSH__CONTACT", "mailto:ops@example.com"),
            set("PUSH__ALLOW_NETWORKS", r#"["127.0.0.0/8", "::1/128"]"#),
        ];
        let data_dir = Some(folder.path().join("data"));
        let options = ServerOptions { environment, data_dir, ..ServerOptions::default() };
        Site { services, options, _folder: folder }
    }

    async fn server(&self) -> Server {
        Server::start(BINARY, self.options.clone()).await
    }

    /// Returns the registration of a browser.
    fn browser(&self, name: &str) -> Value {
        json!({ "platform": "web", "subscription": {
            "endpoint": format!("{}/send/{name}", self.services.url()),
            "expirationTime": null,
            "keys": {
                "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
                "auth": "BTBZMqHH6r4Tts7J_aSIgg",
            },
        }})
    }
}

/// Joins a room, and says that a device is in its user's hand.
async fn look(server: &Server, token: &str, device: &str) -> RawSocket {
    let mut socket = RawSocket::join(server.public, "demo", Some(token), None).await;
    let attach = json!({ "type": "attach", "device": device, "visible": true });
    socket.send_text(&attach.to_string()).await;
    loop {
        match socket.next_within(SOON).await {
            Some(Frame::Protocol(ServerFrame::Attached(_), _)) => return socket,
            Some(_) => {}
            None => panic!("the server ended the connection"),
        }
    }
}

/// Waits until the server says which services it sends to, and returns the key for browsers.
async fn key(server: &Server) -> String {
    let known = async || {
        let answer = server.call("GET", "/v1/push/key", "", &Value::Null).await;
        answer.body["key"].as_str().map(str::to_owned)
    };
    wait::until(SOON, "a key for browsers", known).await
}

/// Waits for so many notifications, and then a moment for more. Returns their paths, sorted.
async fn told(site: &Site, count: usize) -> Vec<String> {
    let enough = async || (site.services.requests().len() >= count).then_some(());
    wait::until(SOON, "notifications", enough).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut paths: Vec<_> = site.services.requests().into_iter().map(|it| it.path).collect();
    paths.sort();
    paths
}

#[tokio::test]
async fn a_letter_reaches_a_device_after_a_kill_unless_it_was_read() {
    let site = Site::start().await;
    let mut server = site.server().await;
    let first_key = key(&server).await;
    let fan = server.token("fan", "*", "admin").await;
    for name in ["host", "reader"] {
        let token = server.token(name, "*", "viewer").await;
        let device = server.call("PUT", "/v1/inbox/devices/laptop", &token, &site.browser(name)).await;
        assert_eq!((device.status, &device.body["outcome"]), (200, &json!("registered")));
        for id in ["m1", "m2"] {
            let letter = json!({ "type": "text", "id": id, "text": "Hello" });
            let sent = server.call("POST", &format!("/v1/users/{name}/messages"), &fan, &letter).await;
            assert_eq!(sent.status, 200, "{sent:?}");
        }
    }
    let reader = server.token("reader", "*", "viewer").await;
    let inbox = server.call("GET", "/v1/inbox?at_least=4", &reader, &Value::Null).await;
    let conversation = inbox.body["conversations"][0]["conversation"].clone();
    let reads = json!({ "reads": [{ "conversation": conversation, "position": 2 }] });
    assert_eq!(server.call("POST", "/v1/inbox/reads", &reader, &reads).await.status, 200);
    let read = async || {
        let inbox = server.call("GET", "/v1/inbox", &reader, &Value::Null).await;
        (inbox.body["unread"] == json!(0)).then_some(())
    };
    wait::until(SOON, "a read that is in force", read).await;
    assert_eq!(site.services.requests().len(), 0, "nothing is due before five seconds");
    server.kill().await;
    let server = site.server().await;
    assert_eq!(key(&server).await, first_key);
    assert_eq!(told(&site, 1).await, ["/send/host"]);
}

#[tokio::test]
async fn the_device_in_the_hand_is_spared_and_others_are_not() {
    let site = Site::start().await;
    let server = site.server().await;
    key(&server).await;
    let host = server.token("host", "*", "viewer").await;
    for device in ["laptop", "phone", "tablet"] {
        let path = format!("/v1/inbox/devices/{device}");
        assert_eq!(server.call("PUT", &path, &host, &site.browser(device)).await.status, 200);
    }
    let (_phone, mut tablet) = (look(&server, &host, "phone").await, look(&server, &host, "tablet").await);
    // The page of the tablet goes to the back.
    tablet.send_text(r#"{"type":"attach","device":"tablet"}"#).await;
    let fan = server.token("fan", "*", "admin").await;
    let letter = json!({ "type": "text", "id": "m1", "text": "Hello" });
    assert_eq!(server.call("POST", "/v1/users/host/messages", &fan, &letter).await.status, 200);
    assert_eq!(told(&site, 2).await, ["/send/laptop", "/send/tablet"]);
}

#[tokio::test]
async fn devices_are_refused_where_nothing_is_sent_and_by_their_form() {
    let bare = Server::start(BINARY, ServerOptions::default()).await;
    let key = bare.call("GET", "/v1/push/key", "", &Value::Null).await;
    assert_eq!((key.status, &key.body), (200, &json!({ "services": [] })));
    let token = bare.token("host", "*", "viewer").await;
    let fcm = json!({ "platform": "fcm", "token": "t" });
    let refused = bare.call("PUT", "/v1/inbox/devices/phone", &token, &fcm).await;
    assert_eq!((refused.status, refused.code()), (403, "forbidden"));

    let site = Site::start().await;
    let server = site.server().await;
    self::key(&server).await;
    let token = server.token("host", "*", "viewer").await;
    let web = site.browser("host");
    let mut plain = web.clone();
    plain["subscription"]["endpoint"] = json!("http://push.example/x");
    let mut short = web.clone();
    short["subscription"]["keys"]["auth"] = json!("AAAA");
    let more = json!({ "platform": "web", "subscription": web["subscription"], "more": 1 });
    for (device, body, status) in [
        ("laptop", &plain, 400),
        ("laptop", &short, 400),
        ("laptop", &more, 400),
        ("laptop", &json!({ "platform": "apns", "token": "0a" }), 403),
        ("a%20b", &web, 400),
        ("laptop", &web, 200),
        ("laptop", &web, 200),
    ] {
        let path = format!("/v1/inbox/devices/{device}");
        let answer = server.call("PUT", &path, &token, body).await;
        assert_eq!(answer.status, status, "{device} {body}: {answer:?}");
    }
    let devices = server.call("GET", "/v1/inbox/devices", &token, &Value::Null).await;
    let listed = &devices.body["devices"];
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["platform"]), (1, &json!("web")));
    assert!(!devices.body.to_string().contains("send/host"), "an endpoint is a secret");
    let other = server.token("other", "*", "viewer").await;
    let removed = server.call("DELETE", "/v1/inbox/devices/laptop", &other, &Value::Null).await;
    assert_eq!(removed.body["removed"], false, "it is another user's");
    let removed = server.call("DELETE", "/v1/inbox/devices/laptop", &token, &Value::Null).await;
    assert_eq!(removed.body["removed"], true);
    let none = server.call("GET", "/v1/inbox/devices", "", &Value::Null).await;
    assert_eq!(none.status, 401);
}
