//! Exports of a room's history: who may read them, what is in them, and what programs of others make of
//! them.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use barrage_protocol::post::HistoryMessage;
use barrage_recording::{Item, ItemKind, Limits, Mode, Skipped, convert, parse};
use barrage_testkit::{Server, programs, wait};
use serde_json::json;
use tokio::process::Command;

use crate::support::{barrage, start, start_with, text_of};

/// A recording with entities, emoji, line breaks, every mode, gifts and a super chat.
const RECORDING: &str = r#"<?xml version="1.0" encoding="UTF-8"?><i>
<d p="0.5,1,25,16777215,1700000000,0,a1,1" user="甲">&lt;b&gt; &amp;amp; "quoted" &#39;x&#39; {\pos(0,0)}</d>
<d p="1,5,36,16711680,1700000000,0,a2,2" user="乙">👨‍👩‍👧‍👦 上面</d>
<d p="1.5,4,18,255,1700000000,0,a3,3" user="丙">two
lines</d>
<d p="2,7,45,65280,1700000000,0,a4,4" user="丁">["0.25","0.5","1-0.5","4.5","placed &amp; {x}","15","30","0.75","0.5","1000","250","true","SimHei","1"]</d>
<d p="2.5,1,25,16777215,1700000000,0,a5,5" user="甲">bell &#7;</d>
<gift ts="3" user="戊" giftname="花束 &amp; 火箭" giftcount="3" price="1000"/>
<sc ts="3.5" user="己" price="30000" time="60">谢谢 &lt;3</sc>
</i>"#;

/// Begins a stream, posts the items of a recording as their senders, and waits until the archive has them.
async fn archive(server: &Server, room: &str, items: &[Item]) {
    let path = format!("/v1/rooms/{room}/messages");
    let admin = server.token("a", "*", "admin").await;
    let began = json!({ "stream_started_at_ms": barrage_clock::unix_ms() });
    let answer = server.admin("PUT", &format!("/rooms/{room}"), &admin, &began).await;
    assert!(answer.status < 300, "{answer:?}");
    for (n, item) in items.iter().enumerate() {
        let post = convert::post(&item.kind, format!("m-{n}").parse().unwrap());
        let token = named_token(server, &item.sender).await;
        let answer = server.post(&path, &token, serde_json::to_string(&post).unwrap()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    wait::until_true(Duration::from_secs(20), "all messages in the archive", async || {
        // A line for each entry, the first line and the last one.
        export(server, room, "xml").await.lines().count() == items.len() + 2
    })
    .await;
}

/// Mints the token of a host with a name.
async fn named_token(server: &Server, name: &str) -> String {
    let data_dir = server.data_dir().display().to_string();
    let words =
        ["token", "--user", "u1", "--name", name, "--room", "*", "--role", "host", "--data-dir", &data_dir];
    let output = barrage(server.data_dir(), &words).await;
    assert!(output.status.success(), "{}", text_of(&output));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn export(server: &Server, room: &str, format: &str) -> String {
    let url = format!("http://{}/v1/rooms/{room}/history?format={format}", server.public);
    let response = reqwest::get(url).await.unwrap();
    assert_eq!(response.status(), 200);
    let name = response.headers()["content-disposition"].to_str().unwrap();
    assert_eq!(name, format!("attachment; filename=\"{room}.{format}\""));
    response.text().await.unwrap()
}

/// Items without what a live room changes: their offsets.
fn without_offsets(items: &[Item]) -> Vec<Item> {
    items.iter().map(|item| Item { offset_ms: 0, ..item.clone() }).collect()
}

fn read(xml: &str) -> Vec<Item> {
    let recording = parse(xml.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(recording.skipped, Skipped::default(), "{xml}");
    recording.items
}

#[tokio::test]
async fn import_export_and_import_again_is_equal() {
    let server = start().await;
    let imported = parse(RECORDING.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(imported.skipped, Skipped { control_characters: 1, ..Skipped::default() });
    archive(&server, "demo", &imported.items).await;
    let xml = export(&server, "demo", "xml").await;
    let exported = read(&xml);
    assert_eq!(without_offsets(&exported), without_offsets(&imported.items), "{xml}");
    let ItemKind::Chat { mode: Mode::Placed(place), .. } = exported[3].kind else { panic!("{xml}") };
    assert_eq!((place.x, place.y, place.duration_ms, place.rotate_z), (2_500, 5_000, 4_500, 15));
    archive(&server, "again", &exported).await;
    let again = read(&export(&server, "again", "xml").await);
    assert_eq!(without_offsets(&again), without_offsets(&exported));
}

#[tokio::test]
async fn recalled_and_purged_messages_are_in_no_export() {
    let server = start().await;
    let [writer, host] =
        [server.token("u1", "demo", "viewer").await, server.token("h", "demo", "host").await];
    for (token, id, text) in
        [(&writer, "c1", "word-purged"), (&host, "c2", "word-recalled"), (&host, "c3", "word-kept")]
    {
        let body = json!({ "type": "chat", "id": id, "text": text }).to_string();
        assert_eq!(server.post("/v1/rooms/demo/messages", token, body).await.status, 200);
    }
    wait::until_true(Duration::from_secs(20), "three messages in the archive", async || {
        export(&server, "demo", "jsonl").await.matches("word-").count() == 3
    })
    .await;
    let jsonl = export(&server, "demo", "jsonl").await;
    let line = jsonl.lines().find(|line| line.contains("word-recalled")).unwrap();
    let message: HistoryMessage = serde_json::from_str(line).unwrap();
    let recall = json!({ "id": "a1", "action": { "type": "recall", "sequence": message.sequence } });
    let purge = json!({ "id": "a2", "action": { "type": "purge", "user": "u1" } });
    for action in [recall, purge] {
        let answer = server.post("/v1/rooms/demo/actions", &host, action.to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    wait::until_true(Duration::from_secs(20), "the export without both", async || {
        export(&server, "demo", "xml").await.matches("word-").count() == 1
    })
    .await;
    for format in ["xml", "ass", "jsonl"] {
        let file = export(&server, "demo", format).await;
        assert!(file.contains("word-kept") && file.matches("word-").count() == 1, "{file}");
    }
}

#[tokio::test]
async fn export_needs_what_the_history_needs_and_a_format_alone() {
    let server = start_with(&[("TOKEN__ANONYMOUS", "false")]).await;
    let viewer = server.token("u1", "demo", "viewer").await;
    let get = async |query: &str, token: Option<&str>| {
        let url = format!("http://{}/v1/rooms/demo/history?{query}", server.public);
        let mut request = reqwest::Client::new().get(url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(get("format=xml", None).await, 401);
    assert_eq!(get("format=xml", Some(&viewer)).await, 200);
    assert_eq!(get("format=ass&from_ms=0&to_ms=1000", Some(&viewer)).await, 200);
    for bad in ["format=pdf", "format=xml&limit=1", "format=xml&after=0", "format=xml&from_ms=2&to_ms=1"] {
        assert_eq!(get(bad, Some(&viewer)).await, 400, "{bad}");
    }
}

/// Runs a program that `cargo xtask setup` installs, and returns its output.
async fn run(program: &str, arguments: &[&str], folder: &Path) -> Output {
    let path = programs::tool(program)
        .unwrap_or_else(|| panic!("this test needs {program}: run `cargo xtask setup`"));
    let mut command = Command::new("python3");
    let command = if program.starts_with("biliass") {
        command.arg(&path).env("PYTHONPATH", path.parent().and_then(Path::parent).unwrap())
    } else {
        command = Command::new(&path);
        &mut command
    };
    let output = command.args(arguments).current_dir(folder).kill_on_drop(true).output();
    let output = wait::within(Duration::from_secs(60), "the end of the program", output).await.unwrap();
    assert!(output.status.success(), "{program}: {}", text_of(&output));
    output
}

#[tokio::test]
async fn biliass_reads_our_xml_and_libass_renders_our_subtitles() {
    let server = start().await;
    let items = parse(RECORDING.as_bytes(), &Limits::default()).unwrap().items;
    archive(&server, "demo", &items).await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    std::fs::write(file("demo.xml"), export(&server, "demo", "xml").await).unwrap();
    run("biliass/bin/biliass", &["demo.xml", "-s", "1920x1080", "-o", "theirs.ass"], folder.path()).await;
    let theirs = std::fs::read_to_string(file("theirs.ass")).unwrap();
    for text in ["上面", "two lines", "placed & ", "quoted"] {
        assert!(theirs.contains(text), "{text}: {theirs}");
    }
    let ours = export(&server, "demo", "ass").await;
    assert!(ours.contains("5 written, 0 without a free lane"), "{ours}");
    std::fs::write(file("ours.ass"), &ours).unwrap();
    for script in ["ours.ass", "theirs.ass"] {
        assert!(lit_pixels(script, folder.path()).await > 200, "{script} shows nothing: {ours}");
    }
    std::fs::write(file("empty.ass"), barrage_recording::export::ass::HEADER).unwrap();
    assert_eq!(lit_pixels("empty.ass", folder.path()).await, 0);
}

/// Renders 30 seconds of subtitles on black, one frame a second, and counts the bright pixels.
async fn lit_pixels(script: &str, folder: &Path) -> usize {
    let filter = format!("subtitles={script}");
    let arguments = [
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        "color=black:s=640x360:r=1:d=30",
        "-vf",
        &filter,
        "-f",
        "rawvideo",
        "-pix_fmt",
        "gray",
        "-",
    ];
    let output = run("ffmpeg", &arguments, folder).await;
    assert_eq!(output.stdout.len(), 30 * 640 * 360, "{}", text_of(&output));
    output.stdout.iter().filter(|level| **level > 60).count()
}

#[tokio::test]
async fn command_prints_the_file_and_a_bad_room_fails() {
    let server = start().await;
    let items = parse(RECORDING.as_bytes(), &Limits::default()).unwrap().items;
    archive(&server, "demo", &items).await;
    let folder = tempfile::tempdir().unwrap();
    let admin = format!("http://{}", server.admin);
    let data_dir = server.data_dir().display().to_string();
    let run = async |words: &[&str]| {
        let all = [&["room", "export"], words, &["--admin", &admin, "--data-dir", &data_dir]].concat();
        barrage(folder.path(), &all).await
    };
    let output = run(&["demo"]).await;
    assert!(output.status.success(), "{}", text_of(&output));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), export(&server, "demo", "xml").await);
    let output = run(&["demo", "--format", "jsonl"]).await;
    let jsonl = String::from_utf8(output.stdout).unwrap();
    for line in jsonl.lines() {
        serde_json::from_str::<HistoryMessage>(line).unwrap();
    }
    assert!(jsonl.lines().count() >= items.len(), "{jsonl}");
    let output = run(&["none"]).await;
    assert!(!output.status.success() && output.stdout.is_empty(), "{}", text_of(&output));
}
