//! Instant uploads: a proof of possession instead of bytes.

use ring::hmac;
use serde_json::{Value, json};

use super::site::{Site, bytes};

async fn ask(site: &Site, token: &str, body: &Value) -> Value {
    let request = site.http.post(site.url("/v1/uploads/known")).bearer_auth(token).body(body.to_string());
    request.send().await.unwrap().json().await.unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Answers a challenge as the owner of the file does.
fn answer(challenge: &Value, file: &[u8]) -> String {
    let nonce = challenge["nonce"].as_str().unwrap();
    let nonce: Vec<u8> =
        (0..16).map(|at| u8::from_str_radix(&nonce[2 * at..2 * at + 2], 16).unwrap()).collect();
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &nonce));
    for range in challenge["ranges"].as_array().unwrap() {
        let at = |name: &str| usize::try_from(range[name].as_u64().unwrap()).unwrap();
        context.update(&file[at("start")..at("start") + at("length")]);
    }
    hex(context.sign().as_ref())
}

#[tokio::test]
async fn owner_gets_the_medium_again_without_bytes_and_a_digest_alone_gets_nothing() {
    let site = Site::start(&[]).await;
    let (ann, eve) = (site.token("ann").await, site.token("eve").await);
    let file = bytes(50_000);
    let view = site.finished(&ann, &file, &[]).await;
    let digest = view["media"]["digest"].clone();
    let question = json!({ "sha256": digest, "length": file.len() });
    let proof = |challenge: &Value, answer: &str| json!({ "sha256": digest, "length": file.len(), "nonce": challenge["nonce"], "answer": answer });
    let challenge = ask(&site, &ann, &question).await;
    assert_eq!(
        (&challenge["state"], challenge["ranges"].as_array().unwrap().len()),
        (&json!("challenge"), 3)
    );
    assert_eq!(ask(&site, &ann, &proof(&challenge, &"0".repeat(64))).await["state"], "unknown");
    let right = proof(&challenge, &answer(&challenge, &file));
    let known = ask(&site, &ann, &right).await;
    assert_eq!((&known["state"], &known["media"]["digest"]), (&json!("known"), &digest));
    assert!(site.read(known["media"]["variants"][0]["url"].as_str().unwrap()).await == file);
    assert_eq!(ask(&site, &ann, &right).await["state"], "unknown", "an answer is good once");

    // A stranger is asked in the same way, for a file that is here and for one that is not, and gets neither.
    let challenge = ask(&site, &eve, &question).await;
    assert_eq!(challenge["state"], "challenge");
    assert_eq!(ask(&site, &eve, &proof(&challenge, &answer(&challenge, &file))).await["state"], "unknown");
    let other = ask(&site, &eve, &json!({ "sha256": "0".repeat(64), "length": file.len() })).await;
    assert_eq!((&other["state"], other["ranges"].as_array().unwrap().len()), (&json!("challenge"), 3));
}
