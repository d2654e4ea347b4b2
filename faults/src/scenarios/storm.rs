//! Rows 7 and 8: a gateway dies with its viewers, and all come back at the others.

use crate::crowd::{Drill, Load, play};
use crate::figure::{Bound, Figure};
use crate::run::Run;
use crate::site::{Site, SiteOptions};

/// Row 7: entry names the other gateway.
pub(super) async fn with_entry(run: Run) -> Vec<Figure> {
    storm(&run, None, 8.0).await
}

/// Row 8: entry is dead as well; viewers go by the lists that they have.
pub(super) async fn without_entry(run: Run) -> Vec<Figure> {
    storm(&run, Some("entry"), 15.0).await
}

async fn storm(run: &Run, also: Option<&str>, back_max_s: f64) -> Vec<Figure> {
    let mut site = Site::start(run, &SiteOptions::cluster(2)).await;
    let viewers = run.viewers(300, 2_000);
    let mut load =
        Load::new((viewers / 100).max(1), viewers, run.secs(if also.is_some() { 18 } else { 16 }, 30))
            .rates(10, 20);
    load.has_fallback = true;
    let mut from_ms = 0;
    let played = play(&mut site, load, async |drill: &mut Drill<'_>| {
        drill.rest(2.0).await;
        from_ms = drill.records.now_ms();
        for name in also.into_iter().chain(["gateway-1"]) {
            drill.site.process(name).kill();
        }
        drill.rest(back_max_s - 1.0).await;
        if let Some(name) = also {
            drill.site.process(name).restart().await;
        }
        drill.note("kill gateway-1".into(), from_ms);
    })
    .await;
    let back_ms = played.back_ms(from_ms);
    let at = |share: f64| {
        let at = (back_ms.len().saturating_sub(1) as f64 * share) as usize;
        f64::from(back_ms.get(at).copied().unwrap_or(0)) / 1_000.0
    };
    let mut figures = vec![
        Figure::some("viewers whose gateway died", back_ms.len() as u64),
        Figure::new("half of them back", at(0.5), "s", Bound::Free),
        Figure::new("all of them back", at(1.0), "s", Bound::AtMost(back_max_s)),
        Figure::new("peak of joins in a second", played.peak_joins_per_s(from_ms) as f64, "", Bound::Free),
    ];
    figures.extend(played.figures());
    assert!(site.process("gateway-2").is_running(), "the other gateway ended");
    figures
}
