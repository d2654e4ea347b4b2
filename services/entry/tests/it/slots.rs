//! Slots and tickets in a flash crowd.

use std::net::IpAddr;

use barrage_entry::EntryConfig;
use barrage_protocol::code::ErrorBody;
use barrage_protocol::entry::EntryAnswer;
use barrage_protocol::{Code, RoomId};
use barrage_token::TicketError;
use http::{Request, StatusCode};

use crate::site::{Site, unbounded};

/// Of 100 joins a second 80 are given out. The newcomers of a quarter of a second connect at once,
/// those of a minute get a slot, and the others are refused.
#[tokio::test]
async fn flash_crowd_gets_slots_at_the_rate_of_the_fleet() {
    let config = EntryConfig { address_per_s: 1_000_000, ..unbounded() };
    let site = Site::new(config).await;
    site.limited("a", 60, 100_000).await;
    site.limited("b", 40, 100_000).await;
    let started_ms = barrage_clock::unix_ms();
    let (mut at_once, mut tickets, mut reported_ms) = (0, Vec::new(), started_ms);
    let turned_away = loop {
        // An instance that is silent for 5 s is no longer listed, and a slow machine takes longer.
        if barrage_clock::unix_ms() >= reported_ms + 1_000 {
            reported_ms = barrage_clock::unix_ms();
            site.limited("a", 60, 100_000).await;
            site.limited("b", 40, 100_000).await;
        }
        let (status, _, body) = site.get("/v1/entry?room=demo").await;
        if status != StatusCode::OK {
            break serde_json::from_slice::<ErrorBody>(&body).unwrap().error;
        }
        let answer: EntryAnswer = serde_json::from_slice(&body).unwrap();
        match answer.ticket {
            None => at_once += 1,
            Some(ticket) => {
                assert_eq!(answer.race.width, 1, "a newcomer with a ticket goes to the gateway of its slot");
                tickets.push((ticket.wait_ms, ticket.token));
            }
        }
    };
    let took_secs = (barrage_clock::unix_ms() - started_ms) / 1_000 + 1;
    // Nobody joins, so after 5 s entry gives back three quarters of the slots that were due.
    let later = 80 * took_secs + 60 * took_secs.saturating_sub(5);
    assert!((20..=22 + later).contains(&at_once), "{at_once}");
    let given = at_once + tickets.len() as u64;
    assert!((4_800..=4_802 + later).contains(&given), "{given}");
    assert!(tickets.iter().all(|(wait_ms, _)| (250..=60_000).contains(wait_ms)));
    assert_eq!(turned_away.code, Code::Overloaded);
    assert!((30_000..=60_000).contains(&turned_away.retry_after_ms.unwrap()));
    let room = RoomId::parse("demo").unwrap();
    let mut slots = Vec::new();
    for (wait_ms, text) in &tickets {
        let ticket = site.keyring.check_ticket(text, &room, barrage_clock::unix_ms() + wait_ms).unwrap();
        assert_eq!(ticket.expires_ms, ticket.not_before_ms + 30_000);
        slots.push((ticket.not_before_ms, ticket.id));
    }
    // At most 80 in any second, and two more for the edges of each gateway. A ticket gets its date after its
    // slot was taken: a busy machine puts up to 150 ms between, in which there are 12 slots.
    for (n, (from_ms, _)) in slots.iter().enumerate() {
        let within = slots[n..].iter().take_while(|(at_ms, _)| *at_ms < from_ms + 1_000).count();
        assert!(within <= 96, "{within}");
    }
    let distinct: std::collections::BTreeSet<_> = slots.iter().map(|(_, id)| id).collect();
    assert_eq!(distinct.len(), tickets.len());
    assert_eq!(site.count("barrage_entry_ticket_wait_seconds"), tickets.len() as u64);
    assert_eq!(site.count("barrage_entry_turned_away_total"), 1);
    let early = site.keyring.check_ticket(&tickets.last().unwrap().1, &room, barrage_clock::unix_ms());
    assert!(matches!(early, Err(TicketError::TooEarly { .. })), "{early:?}");
    // A client that only sends and the embedded list need no slot. The reports above may have expired.
    site.limited("a", 60, 100_000).await;
    site.limited("b", 40, 100_000).await;
    assert!(site.answer("/v1/entry?room=demo&purpose=send").await.ticket.is_none());
    assert!(site.answer("/v1/entry/fallback").await.ticket.is_none());
}

#[tokio::test]
async fn no_ticket_without_headroom() {
    let site = Site::new(EntryConfig { address_per_s: 1_000_000, ..unbounded() }).await;
    site.limited("a", 10, 25).await;
    for _ in 0..25 {
        site.answer("/v1/entry?room=demo").await;
    }
    let (status, headers, body) = site.get("/v1/entry?room=demo").await;
    let refusal = serde_json::from_slice::<ErrorBody>(&body).unwrap().error;
    assert_eq!((status, refusal.code), (StatusCode::SERVICE_UNAVAILABLE, Code::Overloaded));
    assert!(headers.contains_key("retry-after"));
}

/// Four addresses ask at their maximum rate and never connect. The gateway admits 400 joins a second.
#[tokio::test]
async fn addresses_that_never_connect_delay_others_by_2_s_at_most() {
    let site = Site::new(EntryConfig::default()).await;
    site.limited("g1", 400, 100_000).await;
    let ask = async |address: IpAddr| {
        let asked = Request::get("/v1/entry?room=demo").header("host", "chat.example");
        site.ask_from(address, asked, "").await
    };
    let attackers = [1, 2, 3, 4].map(|host| IpAddr::from([192, 0, 2, host]));
    let (mut granted, mut refused) = (0, None);
    for address in attackers.into_iter().cycle().take(4 * 400) {
        let (status, _, body) = ask(address).await;
        match status {
            StatusCode::OK => granted += 1,
            status => {
                assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
                refused = Some(serde_json::from_slice::<ErrorBody>(&body).unwrap().error);
            }
        }
    }
    assert!((400..=800).contains(&granted), "the maximum, and grants that lapsed meanwhile: {granted}");
    let refused = refused.unwrap();
    assert_eq!(refused.limit.unwrap().rule, "entry.address_grants_max");
    assert!((1..=92_000).contains(&refused.retry_after_ms.unwrap()));
    for host in 0..20 {
        let (status, _, body) = ask(IpAddr::from([198, 51, 100, host])).await;
        assert_eq!(status, StatusCode::OK);
        let answer: EntryAnswer = serde_json::from_slice(&body).unwrap();
        let wait_ms = answer.ticket.map_or(0, |ticket| ticket.wait_ms);
        assert!(wait_ms < 2_000, "an honest newcomer waits {wait_ms} ms");
    }
    // An IPv6 site has 65,536 networks.
    let site_of = |network: u16| IpAddr::from([0x2001, 0xdb8, 7, network, 0, 0, 0, 1]);
    let mut granted = 0;
    for network in 0..600 {
        granted += u32::from(ask(site_of(network)).await.0 == StatusCode::OK);
    }
    assert!((400..=480).contains(&granted), "{granted}");
}
