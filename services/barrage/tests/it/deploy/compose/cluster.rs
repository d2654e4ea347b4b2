//! The services of compose.yaml as processes: a gift goes from an uplink to each gateway and to the store, a letter
//! to its receiver's inbox.

use std::process::Command;
use std::time::Duration;

use barrage_push::VapidKey;
use barrage_testkit::{ClientTls, wait};
use serde_json::{Value, json};

use super::model::Project;
use super::site::Site;
use crate::support::{BINARY, gift};

/// Longest time until the cluster is ready, and until a message is in each place.
const STEP_MAX: Duration = Duration::from_secs(60);
/// Origin of the page that entry serves, which connects to the other names.
const PAGE: &str = "http://localhost:8080";

#[tokio::test]
async fn gift_goes_through_the_services_of_compose_to_each_gateway_and_the_history() {
    let Some(project) = Project::read() else { return };
    let mut site = Site::new(project);
    // The key of notifications comes from the operator.
    let keys = site.volume("barrage-secrets");
    std::fs::create_dir_all(&keys).unwrap();
    std::fs::write(keys.join("vapid.key"), VapidKey::generate("").unwrap().1).unwrap();
    site.start().await;
    ClientTls::make_ring_default();
    let http = reqwest::Client::new();
    all_ready(&mut site, &http).await;
    let entry = format!("http://{}", site.address("entry", 8080));
    let (gateways, uplinks) = named(&http, &entry).await;
    let guest = http.post(format!("{entry}/v1/guest")).json(&json!({ "name": "Ann" })).send().await.unwrap();
    let guest: Value = guest.json().await.unwrap();
    let post = http.post(format!("{}/v1/rooms/demo/messages", uplinks[1]));
    let post = post.bearer_auth(guest["token"].as_str().unwrap()).header("origin", PAGE).body(gift("g1"));
    let answer: Value = post.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["outcome"], "broadcast", "{answer}");
    for url in gateways {
        let answer =
            http.get(format!("{url}?after=0&wait_secs=20")).header("origin", PAGE).send().await.unwrap();
        assert_eq!(answer.headers()["access-control-allow-origin"], PAGE, "{url} refuses the page");
        let batch: Value = answer.json().await.unwrap();
        assert_eq!(batch["messages"][0]["body"]["gift"]["name"], "rose", "{url}: {batch}");
    }
    wait::until_true(STEP_MAX, "the gift in the history of the other uplink", async || {
        let page = http.get(format!("{}/v1/rooms/demo/history?limit=5", uplinks[0])).send().await.unwrap();
        page.text().await.is_ok_and(|page| page.contains("rose"))
    })
    .await;
    letter(&mut site, &http, &uplinks).await;
    let services = http.get(format!("{}/v1/push/key", uplinks[0])).send().await.unwrap();
    let services: Value = services.json().await.unwrap();
    assert_eq!(services["services"], json!(["web"]), "uplinks have the key from the tables");
    probed(&mut site, &http).await;
    scraped(&mut site, &http).await;
    // An engine gives these processes a file system that they cannot write.
    let names: Vec<_> = site.project.barrages().map(|(name, _)| name.clone()).collect();
    for name in names {
        let log = format!("{name}.log");
        assert!(
            site.written(&name).iter().all(|entry| *entry == log),
            "{name} writes {:?}",
            site.written(&name)
        );
    }
}

/// Sends a letter at one uplink, and waits until its receiver reads it at the other one.
async fn letter(site: &mut Site, http: &reqwest::Client, uplinks: &[String]) {
    let environment = site.environment("uplink-1");
    let token = |user: &str| {
        let mut command = Command::new(BINARY);
        command.args(["token", "--user", user, "--room", "*", "--role", "viewer"]);
        let output = command.envs(environment.clone()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let letter = json!({ "type": "text", "id": "m1", "text": "a letter for Bob" });
    let post = http.post(format!("{}/v1/users/bob/messages", uplinks[0])).bearer_auth(token("ann"));
    let answer: Value = post.json(&letter).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["outcome"], "accepted", "{answer}");
    let (url, bob) = (format!("{}/v1/inbox", uplinks[1]), token("bob"));
    wait::until_true(STEP_MAX, "the letter in the inbox of its receiver", async || {
        let inbox = http.get(&url).bearer_auth(&bob).send().await.unwrap();
        inbox.text().await.is_ok_and(|inbox| inbox.contains("a letter for Bob"))
    })
    .await;
}

/// Waits until the probe has seen both gateways deliver.
async fn probed(site: &mut Site, http: &reqwest::Client) {
    let url = format!("http://{}/metrics", site.address("probe", 8081));
    wait::until_true(STEP_MAX, "two gateways that the probe finds well", async || {
        let Ok(answer) = http.get(&url).send().await else { return false };
        let metrics = answer.text().await.unwrap_or_default();
        let up = metrics.lines().filter(|line| line.starts_with("barrage_probe_gateway_up{"));
        up.filter(|line| line.ends_with(" 1")).count() == 2
    })
    .await;
}

/// Waits until each Barrage process is ready.
async fn all_ready(site: &mut Site, http: &reqwest::Client) {
    let port = |service: &super::model::Service| service.port_of("--admin-listen").unwrap();
    let ports: Vec<_> =
        site.project.barrages().map(|(name, service)| (name.clone(), port(service))).collect();
    for (name, port) in ports {
        let url = format!("http://{}/readyz", site.address(&name, port));
        let expected = format!("{name} is ready; its log so far:\n{}", site.log(&name));
        let is_ready = async || http.get(&url).send().await.is_ok_and(|answer| answer.status().is_success());
        wait::until_true(STEP_MAX, &expected, is_ready).await;
    }
}

/// Returns the poll resource of each gateway and the base URL of each uplink, as entry names them.
async fn named(http: &reqwest::Client, entry: &str) -> (Vec<String>, Vec<String>) {
    wait::until(STEP_MAX, "two gateways and two uplinks that entry names", async || {
        let answer = http.get(format!("{entry}/v1/entry?room=demo")).send().await.ok()?;
        let answer: Value = answer.json().await.ok()?;
        let downlinks = answer["downlinks"].as_array()?.iter();
        let polls = downlinks.filter(|downlink| downlink["transport"] == "poll");
        let polls: Vec<_> = polls.filter_map(|poll| Some(poll["url"].as_str()?.to_owned())).collect();
        let uplinks: Vec<_> =
            answer["uplinks"].as_array()?.iter().filter_map(|url| Some(url.as_str()?.to_owned())).collect();
        (polls.len() == 2 && uplinks.len() == 2).then_some((polls, uplinks))
    })
    .await
}

/// Waits until Prometheus, where it is on this machine, has read the metrics of each process.
async fn scraped(site: &mut Site, http: &reqwest::Client) {
    if !site.running().contains(&"prometheus") {
        return;
    }
    // Processes of a profile are found by their names in a network of containers alone.
    let expected = site.project.barrages().filter(|(_, service)| service.profiles.is_empty()).count();
    let url = format!("http://{}/api/v1/query?query=up", site.address("prometheus", 9090));
    wait::until_true(STEP_MAX, "metrics of each process in Prometheus", async || {
        let Ok(answer) = http.get(&url).send().await else { return false };
        let answer: Value = answer.json().await.unwrap_or_default();
        let found = answer["data"]["result"].as_array().cloned().unwrap_or_default();
        found.len() == expected && found.iter().all(|series| series["value"][1] == "1")
    })
    .await;
    let rules = http.get(url.replace("query?query=up", "rules")).send().await.unwrap();
    let rules: Value = rules.json().await.unwrap();
    let groups = rules["data"]["groups"].as_array().expect("groups of rules");
    assert!(!groups.is_empty(), "Prometheus has no rules");
}
