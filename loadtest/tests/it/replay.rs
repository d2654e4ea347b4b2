//! What a real server's flight recorder keeps, and that it can be played again.

use std::collections::BTreeMap;
use std::time::Duration;

use barrage_loadtest::net::http::{Call, Pool, Target};
use barrage_testkit::ClientTls;
use bytes::Bytes;
use serde_json::Value;

use crate::site::{LOADTEST, Site, said};

/// The lines of a dump: its header, and its records.
async fn dump(site: &Site, of: &str) -> (Bytes, Value, Vec<Value>) {
    let (target, _) =
        Target::resolve(&format!("http://{}", site.server.admin), &ClientTls::system()).await.unwrap();
    let pool = Pool::new(target, 1, 0, Duration::from_secs(30));
    let path = format!("/v1/admin/recorder/{of}?room=demo");
    let (status, _) = pool.call(&Call::get(&path)).await.unwrap();
    assert_eq!(status.as_u16(), 401, "without a token");
    let token = site.server.token("a", "*", "admin").await;
    let (status, body) = pool.call(&Call { token: Some(&token), ..Call::get(&path) }).await.unwrap();
    assert_eq!(status.as_u16(), 200, "{body:?}");
    let lines: Vec<Value> =
        std::str::from_utf8(&body).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (header, records) = lines.split_first().unwrap();
    (body.clone(), header.clone(), records.to_vec())
}

/// How many records there are of each value of these keys.
fn tally(records: &[Value], keys: &[&str]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for record in records {
        let name: Vec<_> = keys.iter().map(|key| record[*key].to_string()).collect();
        *counts.entry(name.join(" ")).or_default() += 1;
    }
    counts
}

fn span_ms(records: &[Value]) -> u64 {
    let times: Vec<u64> = records.iter().map(|record| record["at_ms"].as_u64().unwrap()).collect();
    times.iter().max().unwrap() - times.iter().min().unwrap()
}

const RUN: &str = "phases: [{phase: ramp, secs: 0.5, to: 1}, {phase: hold, secs: 3}]\n\
                   thresholds: [loss.gift == 0]\n";

#[tokio::test(flavor = "multi_thread")]
async fn dump_records_decisions_and_can_be_replayed() {
    let site = Site::with(&[("BARRAGE_UPLINK__LIMITS__ROOM_DISPLAY_CHAT_PER_S", "20")]).await;
    let (output, report) = site.run(&site.scenario(RUN), &[]).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let (text, header, records) = dump(&site, "uplink").await;
    // Every post, with what became of it.
    let posts = &report["totals"]["posts"];
    let due: u64 = ["chat", "gift", "like"].iter().map(|kind| posts[*kind].as_u64().unwrap()).sum();
    assert_eq!((header["records"].as_u64(), records.len() as u64), (Some(due), due), "{header}");
    let outcomes = tally(&records, &["outcome"]);
    assert_eq!(outcomes["\"broadcast\""], posts["broadcast"].as_u64().unwrap());
    let held = posts["held"].as_u64().unwrap();
    let by_quota = tally(&records, &["outcome", "rule"])["\"held\" \"room_display_chat_per_s\""];
    assert!(held > 0 && held == by_quota, "{held} and {by_quota}");
    // No names and no texts.
    assert!(!String::from_utf8_lossy(&text).contains("load-"), "{text:?}");
    assert!(records.iter().all(|record| record.get("text").is_none()));
    // What was broadcast left the gateway in batches.
    let (_, _, batches) = dump(&site, "gateway").await;
    let sum = |key: &str| batches.iter().map(|batch| batch[key].as_u64().unwrap()).sum::<u64>();
    let shown = posts["broadcast"].as_u64().unwrap() - posts["like"].as_u64().unwrap();
    assert_eq!(sum("messages") + sum("left_out"), shown);
    assert_eq!(sum("gifts"), posts["gift"].as_u64().unwrap());
    assert!(batches.iter().any(|batch| batch["viewers"] == 100), "{batches:?}");

    let file = site.dir.path().join("dump.jsonl");
    std::fs::write(&file, &text).unwrap();
    let arguments = ["--viewers", "50", "--speed", "2"];
    let (output, again) = site.command("replay", file.to_str().unwrap(), &arguments).await;
    // Whether it was fast enough is another question on a busy machine.
    assert_ne!(again, Value::Null, "{}", said(&output));
    let posts_again = &again["totals"]["posts"];
    assert_eq!(
        ["chat", "gift", "like"].map(|kind| &posts_again[kind]),
        ["chat", "gift", "like"].map(|kind| &posts[kind])
    );
    assert_eq!((&again["balance"]["gifts_lost"], &again["balance"]["gifts_doubled"]), (&0.into(), &0.into()));
    assert_eq!(again["balance"]["gifts_owed"], 50 * posts["gift"].as_u64().unwrap(), "{}", said(&output));

    // By the server's own record: the same kinds and sizes, by as many senders, in half the time.
    let (_, _, all) = dump(&site, "uplink").await;
    let replayed = &all[records.len()..];
    assert_eq!(tally(replayed, &["class", "bytes"]), tally(&records, &["class", "bytes"]));
    assert_eq!(tally(replayed, &["user"]).len(), tally(&records, &["user"]).len());
    let (before, after) = (span_ms(&records), span_ms(replayed));
    assert!(after * 10 < before * 8, "{after} ms after {before} ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn recorder_dumps_a_room_in_trouble_to_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let site = Site::with(&[
        ("BARRAGE_GATEWAY__RECORDER__FOLDER", folder),
        ("BARRAGE_GATEWAY__HEAT__VIEWERS", "[10, 20, 50]"),
        ("BARRAGE_UPLINK__RECORDER__FOLDER", folder),
        ("BARRAGE_UPLINK__LIMITS__ROOM_DISPLAY_CHAT_PER_S", "5"),
    ])
    .await;
    let (output, _) = site.run(&site.scenario(RUN), &[]).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let causes = || {
        let files = std::fs::read_dir(folder).into_iter().flatten();
        let texts = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
        let mut causes: Vec<_> = texts
            .filter_map(|text| serde_json::from_str::<Value>(text.lines().next()?).ok())
            .map(|header| {
                format!("{} {}", header["source"].as_str().unwrap(), header["cause"].as_str().unwrap())
            })
            .collect();
        causes.sort();
        causes
    };
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while causes() != ["gateway celebrity", "uplink flood"] {
        assert!(tokio::time::Instant::now() < deadline, "{:?}", causes());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn file_that_is_no_dump_is_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("danmaku.xml");
    std::fs::write(&file, barrage_recording::DEMO).unwrap();
    let output = tokio::process::Command::new(LOADTEST).arg("replay").arg(&file).output().await.unwrap();
    assert_eq!(output.status.code(), Some(64), "{}", said(&output));
    assert!(said(&output).contains("run replay --recording"), "{}", said(&output));
    std::fs::write(&file, "{\"barrage_recorder\":1,\"source\":\"gateway\",\"room\":\"r\"}\n").unwrap();
    let output = tokio::process::Command::new(LOADTEST).arg("replay").arg(&file).output().await.unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("dump of an uplink"), "{}", said(&output));
}

/// What is refused before it is read is in the record all the same, and is played.
#[tokio::test(flavor = "multi_thread")]
async fn posts_refused_before_parsing_are_recorded_and_replayed() {
    let site = Site::with(&[("BARRAGE_UPLINK__LIMITS__USER_PER_S", "1")]).await;
    let token = site.server.token("u1", "demo", "viewer").await;
    let mut refused = 0;
    for n in 0..20 {
        let gift = format!(r#"{{"type":"gift","id":"g{n}","gift":{{"name":"rose","count":1}}}}"#);
        let answer = site.server.post("/v1/rooms/demo/messages", &token, gift).await;
        refused += u64::from(answer.code() == "rate_limited");
    }
    assert!(refused > 0);
    let (text, _, records) = dump(&site, "uplink").await;
    let tallied = tally(&records, &["class", "outcome", "rule"]);
    assert_eq!(tallied["null \"rate_limited\" \"user_per_s\""], refused, "{tallied:?}");
    assert_eq!(tallied["\"gift\" \"broadcast\" \"\""], 20 - refused, "{tallied:?}");
    let played = barrage_loadtest::recording::dump::Dump::parse(&text).unwrap();
    assert_eq!((played.posts.len(), played.users), (20, 1));
}
