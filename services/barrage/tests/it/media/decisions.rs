//! Decisions about one medium by a moderator and the hook, one behind the other.

use std::time::Duration;

use barrage_testkit::process::free_address;
use barrage_testkit::wait;
use serde_json::json;

use super::hook::{Judge, PATIENT, Reply, answers, site, state};
use super::review::{decide, picture, waiting};
use crate::cli::run_at;
use crate::support::text_of;

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn late_answer_of_the_hook_changes_no_decision_of_a_moderator() {
    let address = free_address();
    let judge = Judge::start(address, Reply::Wait).await;
    let site = site(address, &PATIENT, None).await;
    let (ann, bob) = (site.token("ann").await, site.token("bob").await);
    let admin = site.server.token("root", "*", "admin").await;
    for (number, (answer, size)) in [("review", "64x48"), ("deny", "80x60")].into_iter().enumerate() {
        judge.reply.send_replace(Reply::Wait);
        let file = picture(size);
        let upload = site.upload(&ann, &file, &[]).await;
        judge.question(number + 1).await;
        let review = waiting(&site, &admin, 1).await.remove(0);
        assert_eq!(review["awaits_hook"], true, "{review}");
        assert_eq!(decide(&site, &admin, &review, "approve").await, 204);
        state(&site, &upload, &ann, "ready").await;
        judge.say(json!({ "action": answer, "reason": "too late" }));
        wait::until_true(PATIENCE, "the answer", async || answers(&site, answer).await == 1.0).await;
        // The check of a further upload takes longer than a write of the answer.
        assert_eq!(site.finished(&bob, &file, &[]).await["state"], "ready", "{answer}");
        waiting(&site, &admin, 0).await;
        let url = review["media"]["variants"][0]["url"].as_str().unwrap();
        assert_eq!(site.http.get(url).send().await.unwrap().status(), 200, "{answer} takes no bytes");
    }
}

#[tokio::test]
async fn late_answer_of_the_hook_lifts_no_denial_of_a_moderator() {
    let address = free_address();
    let judge = Judge::start(address, Reply::Wait).await;
    let site = site(address, &PATIENT, None).await;
    let (ann, bob) = (site.token("ann").await, site.token("bob").await);
    let admin = site.server.token("root", "*", "admin").await;
    for (number, (answer, size)) in [("review", "64x48"), ("allow", "80x60")].into_iter().enumerate() {
        judge.reply.send_replace(Reply::Wait);
        let file = picture(size);
        let upload = site.upload(&ann, &file, &[]).await;
        judge.question(number + 1).await;
        let review = waiting(&site, &admin, 1).await.remove(0);
        assert_eq!(decide(&site, &admin, &review, "deny").await, 204);
        state(&site, &upload, &ann, "refused").await;
        judge.say(json!({ "action": answer }));
        wait::until_true(PATIENCE, "the answer", async || answers(&site, answer).await == 1.0).await;
        let again = site.finished(&bob, &file, &[]).await;
        assert_eq!((&again["state"], &again["refusal"]["code"]), (&json!("refused"), &json!("forbidden")));
        waiting(&site, &admin, 0).await;
    }
}

#[tokio::test]
async fn switch_forces_the_breaker_of_the_hook_about_media_alone() {
    let address = free_address();
    let judge = Judge::start(address, Reply::Say(json!({ "action": "allow" }))).await;
    let more = [&PATIENT[..], &[("MODERATION__HOOK__FALLBACK", "review")]].concat();
    let site = site(address, &more, None).await;
    let (ann, admin) = (site.token("ann").await, site.server.token("root", "*", "admin").await);
    let state_of =
        async |name: &str| site.server.metric(&format!("barrage_breaker_state{{breaker=\"{name}\"}}")).await;
    let set = async |value: &str, state: f64| {
        let set = run_at(&site.server, &["switch", "set", "media-hook", value]).await;
        assert!(set.status.success(), "{}", text_of(&set));
        wait::until_true(PATIENCE, value, async || state_of("media_hook").await == state).await;
    };
    set("open", 2.0).await;
    assert_eq!(state_of("moderation_hook").await, 0.0);
    let upload = site.upload(&ann, &picture("64x48"), &[]).await;
    let review = wait::until(PATIENCE, "the fallback", async || {
        let review = waiting(&site, &admin, 1).await.remove(0);
        (review["awaits_hook"] == false).then_some(review)
    })
    .await;
    assert_eq!(judge.asked(), 0, "an open breaker asks nobody");
    assert_eq!(decide(&site, &admin, &review, "approve").await, 204);
    state(&site, &upload, &ann, "ready").await;
    set("no", 0.0).await;
    assert_eq!(site.finished(&ann, &picture("80x60"), &[]).await["state"], "ready");
    assert_eq!((judge.asked(), answers(&site, "allow").await), (1, 1.0));
}
