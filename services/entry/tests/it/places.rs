//! Clients of two regions, and gateways and uplinks that have a place.

use std::net::IpAddr;

use barrage_bus::{InstanceReport, Place, Role, UplinkLoad};
use barrage_entry::{EntryConfig, MediaHost, MediaHostsConfig};
use barrage_protocol::entry::EntryAnswer;
use barrage_scaling::LoadReport;
use http::{Request, StatusCode};
use tempfile::TempDir;

use crate::site::{Site, unbounded};

const EAST: [u8; 4] = [10, 1, 0, 9];
const WEST: [u8; 4] = [10, 2, 0, 9];
const ASKS: u32 = 300;

/// An entry with a region file of two regions, and a gateway and an uplink in each.
async fn site() -> (Site, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("regions.csv");
    std::fs::write(&file, "10.1.0.0/16,east,telecom\n10.2.0.0/16,west,unicom\n").unwrap();
    let site = Site::new(EntryConfig { region_file: Some(file), ..unbounded() }).await;
    for region in ["east", "west"] {
        gateway(&site, region, region, 0).await;
        uplink(&site, region, region, 0.1).await;
    }
    (site, dir)
}

fn place(region: &str) -> Place {
    Place { region: Some(region.into()), ..Place::default() }
}

async fn gateway(site: &Site, id: &str, region: &str, connections: u64) {
    let load = LoadReport {
        connections: connections as f64,
        connections_max: 100_000,
        joins_per_s_max: 0,
        ..LoadReport::default()
    };
    let base_urls = vec![format!("http://{id}")];
    let new = InstanceReport::new(Role::Gateway, id);
    site.bus.report(InstanceReport { base_urls, load, place: place(region), ..new }).await.unwrap();
}

async fn uplink(site: &Site, id: &str, region: &str, busy: f64) {
    let base_urls = vec![format!("http://up.{id}")];
    let new = InstanceReport::new(Role::Uplink, id);
    let uplink = Some(UplinkLoad { busy });
    site.bus.report(InstanceReport { base_urls, uplink, place: place(region), ..new }).await.unwrap();
}

async fn ask_with(site: &Site, from: [u8; 4], more: &str, header: (&str, &str)) -> EntryAnswer {
    let request = Request::get(format!("/v1/entry?room=demo{more}")).header("host", "live.example");
    let (status, _, body) = site.ask_from(IpAddr::from(from), request.header(header.0, header.1), "").await;
    assert_eq!(status, StatusCode::OK);
    serde_json::from_slice(&body).unwrap()
}

async fn ask(site: &Site, from: [u8; 4]) -> EntryAnswer {
    ask_with(site, from, "", ("accept", "*/*")).await
}

/// Counts the answers that name the region's gateway first, and those that name its uplink first.
async fn firsts(site: &Site, from: [u8; 4], region: &str) -> (u32, u32) {
    let (mut gateways, mut uplinks) = (0, 0);
    for _ in 0..ASKS {
        let answer = ask(site, from).await;
        gateways += u32::from(answer.downlinks[0].gateway == region);
        uplinks += u32::from(answer.uplinks[0] == format!("http://up.{region}"));
        assert_eq!(answer.uplinks.len(), 2, "the other uplink is there to fall back to");
        assert!(answer.downlinks.iter().any(|one| one.gateway != region), "{answer:?}");
    }
    (gateways, uplinks)
}

async fn report(site: &Site, from: [u8; 4], text: &str) -> StatusCode {
    let request = Request::post("/v1/entry/race").header("host", "live.example");
    site.ask_from(IpAddr::from(from), request, text).await.0
}

#[tokio::test]
async fn clients_get_gateway_and_uplink_of_their_own_region_first() {
    let (site, _dir) = site().await;
    for (from, region) in [(EAST, "east"), (WEST, "west")] {
        let (gateways, uplinks) = firsts(&site, from, region).await;
        // 146 of 147 by the default costs.
        assert!(gateways > 280 && uplinks > 280, "{region}: {gateways}, {uplinks}");
    }
    let placed = |label: &str| {
        let families = site.registry.gather();
        let family = families.iter().find(|one| one.name() == "barrage_entry_placed_total").unwrap();
        let of = family.get_metric().iter().find(|one| one.get_label()[0].value() == label).unwrap();
        of.get_counter().get_value() as u32
    };
    assert!(placed("near") > 560 && placed("near") + placed("other_region") == 2 * ASKS);
    assert_eq!((placed("unknown"), placed("other_carrier")), (0, 0));
    // A client whose address the file does not have is spread over all.
    let unknown = firsts(&site, [192, 0, 2, 1], "east").await;
    assert!((90..210).contains(&unknown.0) && (90..210).contains(&unknown.1), "{unknown:?}");
}

#[tokio::test]
async fn client_cannot_claim_a_region() {
    let (site, _dir) = site().await;
    for _ in 0..20 {
        let claimed = ask_with(&site, EAST, "&region=west&carrier=unicom", ("x-region", "west")).await;
        assert_eq!((claimed.region.as_deref(), claimed.carrier.as_deref()), (Some("east"), Some("telecom")));
        let forwarded = ask_with(&site, EAST, "", ("x-forwarded-for", "10.2.0.9")).await;
        assert_eq!(forwarded.region.as_deref(), Some("east"));
    }
    assert_eq!(report(&site, EAST, r#"{"results":[],"region":"west"}"#).await, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn full_region_spills_over_and_nobody_is_refused() {
    let (site, _dir) = site().await;
    gateway(&site, "east", "east", 100_000).await;
    uplink(&site, "east", "east", 1.0).await;
    let mut west_uplinks = 0;
    for _ in 0..ASKS {
        let answer = ask(&site, EAST).await;
        assert!(answer.downlinks.iter().all(|one| one.gateway == "west"), "{answer:?}");
        west_uplinks += u32::from(answer.uplinks[0] == "http://up.west");
    }
    assert!(west_uplinks > 200, "{west_uplinks}");
    let (gateways, uplinks) = firsts_of_west(&site).await;
    assert!(gateways == ASKS && uplinks > 280, "the west keeps its own: {gateways}, {uplinks}");
}

async fn firsts_of_west(site: &Site) -> (u32, u32) {
    let (mut gateways, mut uplinks) = (0, 0);
    for _ in 0..ASKS {
        let answer = ask(site, WEST).await;
        gateways += u32::from(answer.downlinks[0].gateway == "west");
        uplinks += u32::from(answer.uplinks[0] == "http://up.west");
    }
    (gateways, uplinks)
}

#[tokio::test]
async fn one_network_that_lies_and_floods_changes_no_answer() {
    let (site, _dir) = site().await;
    let lie = r#"{"results":[{"gateway":"east"},{"gateway":"west","elapsed_ms":0},{"gateway":"made-up"}],
        "uplinks":[{"url":"http://up.east"},{"url":"http://up.west","elapsed_ms":0},{"url":"http://evil"}]}"#;
    for n in 0..400_u32 {
        let address = [10, 1, 0, (n % 250) as u8];
        assert_eq!(report(&site, address, lie).await, StatusCode::NO_CONTENT);
    }
    assert_eq!(site.count("barrage_entry_race_ignored_total"), 800);
    let (gateways, uplinks) = firsts(&site, EAST, "east").await;
    assert!(gateways > 280 && uplinks > 280, "{gateways}, {uplinks}");
}

#[tokio::test]
async fn race_times_order_gateways_and_uplinks_for_their_own_region_alone() {
    let (site, _dir) = site().await;
    gateway(&site, "east-slow", "east", 0).await;
    uplink(&site, "east-slow", "east", 0.1).await;
    let times = r#"{"results":[{"gateway":"east","elapsed_ms":20},{"gateway":"east-slow","elapsed_ms":220}],
        "uplinks":[{"url":"http://up.east","elapsed_ms":20},{"url":"http://up.east-slow","elapsed_ms":220}]}"#;
    for network in 0..6 {
        report(&site, [10, 1, network, 7], times).await;
    }
    let (mut gateways, mut uplinks) = (0, 0);
    for _ in 0..ASKS {
        let answer = ask(&site, EAST).await;
        gateways += u32::from(answer.downlinks[0].gateway == "east");
        uplinks += u32::from(answer.uplinks[0] == "http://up.east");
    }
    // 256 of 257: 200 ms more, which is the bound of a correction.
    assert!(gateways > 260 && uplinks > 260, "{gateways}, {uplinks}");
    let (gateways, _) = firsts_of_west(&site).await;
    assert!(gateways > 270, "reports of the east say nothing about the west: {gateways}");
}

#[tokio::test]
async fn answer_names_the_media_host_of_the_clients_region_and_the_pieces_of_its_network() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("regions.csv");
    std::fs::write(&file, "10.1.0.0/16,east,telecom\n10.2.0.0/16,west,unicom\n").unwrap();
    let host = |region: &str| MediaHost {
        url: format!("https://media.{region}"),
        region: Some(region.into()),
        carriers: Vec::new(),
    };
    let media = MediaHostsConfig {
        hosts: vec![host("east"), host("west")],
        slow_carriers: vec!["unicom".into()],
        ..MediaHostsConfig::default()
    };
    let site = Site::new(EntryConfig { region_file: Some(file), media, ..unbounded() }).await;
    gateway(&site, "east", "east", 0).await;
    let plan = async |from, network: &str| {
        let answer = ask_with(&site, from, network, ("accept", "*/*")).await;
        answer.media.unwrap()
    };
    let east = plan(EAST, "&network=ethernet").await;
    assert_eq!(east.hosts, ["https://media.east", "https://media.west"]);
    let sizes = (east.piece_bytes, plan(EAST, "&network=cellular").await.piece_bytes);
    assert_eq!(sizes, (2 << 20, 256 << 10));
    let west = plan(WEST, "").await;
    assert_eq!((west.hosts[0].as_str(), west.piece_bytes), ("https://media.west", 256 << 10));
}

#[tokio::test]
async fn answer_names_the_media_of_its_own_process_where_no_hosts_are_configured() {
    let site = Site::new(unbounded()).await;
    gateway(&site, "east", "east", 0).await;
    let media = ask(&site, EAST).await.media.unwrap();
    assert_eq!((media.hosts, media.piece_bytes), (vec!["http://live.example:8082".to_owned()], 1 << 20));
}
