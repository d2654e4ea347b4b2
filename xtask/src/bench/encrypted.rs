//! Fan-out under TLS: deliveries per second of the gateway's processor time, beside plain viewers of the
//! same room, and beside a bare loop that encrypts each frame for each connection by rustls and sends it.

use std::time::Duration;

use anyhow::Context;
use serde_json::{Map, json};

use super::fanout::{CASES, Case, WARM_UP};
use super::figures::{self, median, thousandths};
use super::site::admin::sleep;
use super::site::{Build, Gateway, Part};
use crate::run::note;

/// Figures of one run of a gateway.
struct Delivered {
    per_cpu_s: f64,
    /// Bytes of a frame before its encryption.
    frame_bytes: f64,
    frames_per_s: f64,
    messages_per_frame: f64,
}

/// Measures each case by turns, and prints medians and ratios.
pub(crate) fn main(build: &Build, secs: u32, rounds: u32, as_json: bool) -> anyhow::Result<()> {
    let mut figures = Map::new();
    for case in &CASES {
        let (mut tls, mut plain, mut limit) = (Vec::new(), Vec::new(), Vec::new());
        let (mut to_limit, mut to_plain) = (Vec::new(), Vec::new());
        for round in 1..=rounds {
            let unencrypted = of_plain(build, case, secs)?;
            let (encrypted, bare) = of_encrypted(build, case, secs)?;
            note(&format!(
                "{}, round {round} of {rounds}: {encrypted:.0}, limit {bare:.0}, plain {unencrypted:.0}",
                case.name
            ));
            to_limit.push(encrypted / bare);
            to_plain.push(encrypted / unencrypted);
            tls.push(encrypted);
            plain.push(unencrypted);
            limit.push(bare);
        }
        let of_case = [("tls", &mut tls), ("plain", &mut plain), ("tls_limit", &mut limit)];
        for (kind, values) in of_case {
            figures.insert(format!("{kind}_{}", case.name), json!(median(values).round()));
        }
        for (kind, ratios) in [("tls_ratio", &mut to_limit), ("tls_to_plain", &mut to_plain)] {
            figures.insert(format!("{}_{kind}", case.name), json!(thousandths(median(ratios))));
        }
    }
    figures::print(&figures, as_json)
}

fn window(case: &Case) -> String {
    format!("window_ms = {0}\nwindow_ms_max = {0}\n", case.window_ms)
}

fn of_plain(build: &Build, case: &Case, secs: u32) -> anyhow::Result<f64> {
    let gateway = Gateway::start(build, &build.barrage(), "fanout", &window(case))?;
    let _viewers = gateway.viewers(case.viewers, &[])?;
    Ok(delivered(&gateway, case, secs)?.per_cpu_s)
}

/// Returns deliveries per CPU-second under TLS, and those of the bare loop with frames as large.
fn of_encrypted(build: &Build, case: &Case, secs: u32) -> anyhow::Result<(f64, f64)> {
    let gateway = Gateway::start_encrypted(build, &build.barrage(), "fanout-tls", &window(case))?;
    let (cert, key) = (gateway.certificate(), gateway.certificate_key());
    let more = ["--tls-ca", &cert];
    let viewers = gateway.viewers(case.viewers, &more)?;
    let delivered = delivered(&gateway, case, secs)?;
    drop((viewers, gateway));
    let (frame_bytes, frames_per_s) = (delivered.frame_bytes, delivered.frames_per_s);
    let files = ["--tls-cert", &cert, "--tls-key", &key];
    let (mut limit, address) = Part::limit(build, case.viewers, frame_bytes, frames_per_s, &files)?;
    let _viewers = Part::viewers(build, &address, case.viewers, &more)?;
    sleep(WARM_UP);
    let sends = |limit: &mut Part| limit.mark()?["sends"].as_f64().context("the limit counted no sends");
    let (cpu_before, sends_before) = (limit.process.cpu_secs()?, sends(&mut limit)?);
    sleep(Duration::from_secs(secs.into()));
    let (cpu, sent) = (limit.process.cpu_secs()? - cpu_before, sends(&mut limit)? - sends_before);
    Ok((delivered.per_cpu_s, sent * delivered.messages_per_frame / cpu))
}

fn delivered(gateway: &Gateway<'_>, case: &Case, secs: u32) -> anyhow::Result<Delivered> {
    let _publisher = gateway.publish(case.messages_per_s)?;
    sleep(WARM_UP);
    let counts = || {
        let metric = |name: &str| gateway.metric(&format!("barrage_gateway_{name}_total"), "");
        anyhow::Ok([metric("deliveries")?, metric("writes")?, metric("sent_bytes")?])
    };
    let (cpu_before, before) = (gateway.process.cpu_secs()?, counts()?);
    sleep(Duration::from_secs(secs.into()));
    let (cpu_after, after) = (gateway.process.cpu_secs()?, counts()?);
    let [deliveries, writes, bytes] = std::array::from_fn(|n| after[n] - before[n]);
    Ok(Delivered {
        per_cpu_s: deliveries / (cpu_after - cpu_before),
        frame_bytes: bytes / writes,
        frames_per_s: writes / f64::from(case.viewers) / f64::from(secs),
        messages_per_frame: deliveries / writes,
    })
}
