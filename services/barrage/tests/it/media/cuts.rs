//! Uploads whose connections are cut at random, behind a proxy that treats them badly and with kills of the
//! server: the bytes are right in the end.

use std::time::Duration;

use barrage_testkit::{Toxic, ToxicProxy, wait};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::site::{Site, bytes, metadata};
use super::uploads::endless;

/// The short form of [`two_hundred_uploads_through_cuts_and_kills_have_the_right_bytes`].
#[tokio::test]
async fn uploads_that_are_cut_at_random_have_the_right_bytes() {
    cut_at_random(3, None).await;
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn two_hundred_uploads_through_cuts_and_kills_have_the_right_bytes() {
    cut_at_random(200, Some(10)).await;
}

/// Returns one of six treatments of a connection, with an amount by chance.
fn toxic(draw: &mut impl FnMut(usize) -> usize) -> Toxic {
    match draw(6) {
        0 => Toxic::Pass,
        1 => Toxic::Latency(Duration::from_millis(draw(20) as u64)),
        2 => Toxic::Bandwidth(2_000_000 + u32::try_from(draw(6_000_000)).unwrap()),
        3 => Toxic::Slice(500 + draw(2_000)),
        4 => Toxic::Blackhole,
        _ => Toxic::CutClientAfter(draw(300_000)),
    }
}

/// Uploads files through cuts, and with a kill of the server in the middle of each upload of this number.
async fn cut_at_random(uploads: usize, kill_each: Option<usize>) {
    let mut site = Site::start(&[]).await;
    let proxy = ToxicProxy::start().await;
    proxy.connect_to(site.media);
    let token = site.token("ann").await;
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut draw = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % below as u64).unwrap()
    };
    let mut rounds_with_bytes = 0;
    for n in 0..uploads {
        let file = bytes(400_000 + n);
        let digest: String = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
        let fields = metadata(&[("sha256", &digest)]);
        let upload = site.create(&token, file.len(), &[("upload-metadata", &fields)]).await;
        for cut in 0..6 {
            if cut == 3 && kill_each.is_some_and(|each| n % each == 0) {
                site = site.kill_and_restart().await;
            }
            let offset = site.offset(&upload, &token).await;
            let end = offset + draw(file.len() - offset);
            let request = site
                .http
                .patch(format!("http://{}{upload}", proxy.address))
                .bearer_auth(&token)
                .header("tus-resumable", "1.0.0")
                .header("upload-offset", offset.to_string())
                .header("content-type", "application/offset+octet-stream");
            proxy.set(toxic(&mut draw));
            let sending = tokio::spawn(request.body(endless(&file[offset..end])).send());
            tokio::time::sleep(Duration::from_millis(draw(60) as u64)).await;
            sending.abort();
            proxy.cut();
            rounds_with_bytes += usize::from(site.offset(&upload, &token).await > offset);
        }
        // A cut request may still write: a newer one ends it, and says where it was.
        wait::until_true(Duration::from_secs(20), "the rest of the bytes", async || {
            let offset = site.offset(&upload, &token).await;
            site.patch(&upload, &token, offset, &[], file[offset..].to_vec()).await.status() == 204
        })
        .await;
        let view = site.checked(&upload, &token).await;
        assert_eq!(view["media"]["digest"], json!(digest), "{view}");
        assert!(site.read(view["media"]["variants"][0]["url"].as_str().unwrap()).await == file);
    }
    // Of six rounds each, the proxy swallows one in six, and some end before a byte was written.
    assert!(rounds_with_bytes >= uploads, "{rounds_with_bytes} rounds of {uploads} uploads brought bytes");
}
