//! Followers are told of a host who is live, entry first.

use barrage_bus::{Change, InstanceReport, Role, RoomPatch};
use barrage_protocol::RoomId;
use barrage_protocol::inbox::NotificationSettings;
use barrage_store::{NewCampaign, PushStore};
use barrage_testkit::wait;

use crate::site::{SOON, Site, user};

fn campaign(site_at_ms: u64) -> NewCampaign {
    NewCampaign {
        id: "stream-1".into(),
        host: user("host"),
        room: "demo".into(),
        title: "A new stream".into(),
        at_ms: site_at_ms,
    }
}

async fn gateway(site: &Site, joins_per_s_max: u32) {
    let mut report = InstanceReport::new(Role::Gateway, "gateway-1");
    report.load.connections_max = 10_000;
    report.load.joins_per_s_max = joins_per_s_max;
    site.bus.report(report).await.unwrap();
}

#[tokio::test]
async fn entry_is_told_first_and_each_follower_once() {
    let mut site = Site::start().await;
    site.config.live.ahead_secs = 1;
    let room = RoomId::parse("demo").unwrap();
    let ensure = RoomPatch::Ensure { title: "Demo".into() };
    site.bus.change(Change::Patch(room.clone(), ensure)).await.unwrap();
    gateway(&site, 400).await;
    for number in 0..40 {
        let name = format!("f{number}");
        site.store.follow(&user(&name), &user("host"), 1).await.unwrap();
        site.browser(&name, "browser").await;
    }
    // Some follow without a device, and one wants no such notifications.
    site.store.follow(&user("bare"), &user("host"), 1).await.unwrap();
    let off = serde_json::to_string(&NotificationSettings { live: false, ..Default::default() }).unwrap();
    site.store.set_notification_settings(&user("f7"), &off).await.unwrap();
    let running = site.run();
    let began_ms = barrage_clock::unix_ms();
    site.store.start_campaign(&campaign(began_ms)).await.unwrap();
    let warmed = async || {
        let settings = site.bus.settings().borrow().clone();
        settings.rooms[&room].prewarms.first().copied()
    };
    let prewarm = wait::until(SOON, "an announcement to entry", warmed).await;
    assert_eq!((prewarm.viewers, prewarm.at_ms), (5, (began_ms + 1_000) / 1_000 * 1_000));
    let ended = async || {
        gateway(&site, 400).await;
        let campaign = site.store.start_campaign(&campaign(0)).await.unwrap();
        campaign.ended_at_ms.map(|_| campaign.told)
    };
    assert_eq!(wait::until(SOON, "the end of the campaign", ended).await, 39);
    let requests = site.services.requests();
    assert!(requests.iter().all(|it| it.at_ms >= began_ms + 1_000), "entry has a second");
    let mut paths: Vec<_> = requests.iter().map(|it| it.path.clone()).collect();
    paths.sort();
    paths.dedup();
    assert_eq!((requests.len(), paths.len()), (39, 39));
    assert!(!paths.contains(&"/send/f7-browser".to_owned()));
    assert!(requests.iter().all(|it| it.headers["urgency"] == "normal"));
    running.stop().await;
}

#[tokio::test]
async fn nobody_is_told_while_no_gateway_admits_viewers() {
    let mut site = Site::start().await;
    site.config.live.ahead_secs = 0;
    site.store.follow(&user("fan"), &user("host"), 1).await.unwrap();
    site.browser("fan", "browser").await;
    let running = site.run();
    site.store.start_campaign(&campaign(barrage_clock::unix_ms())).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert_eq!(site.services.requests().len(), 0);
    let told = async || {
        gateway(&site, 400).await;
        (site.services.requests().len() == 1).then_some(())
    };
    wait::until(SOON, "a notification", told).await;
    running.stop().await;
}
