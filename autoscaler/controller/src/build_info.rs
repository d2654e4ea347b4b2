//! `barrage_build_info`: version and identity of this process, as the server reports them.

use prometheus::{IntGaugeVec, Opts, Registry};

/// Revision of the sources: `BARRAGE_REVISION` at build time.
const REVISION: &str = match option_env!("BARRAGE_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

/// Registers `barrage_build_info`, which is 1 for the role `autoscaler`.
pub(crate) fn register(identity: &str, registry: &Registry) -> prometheus::Result<()> {
    let info = IntGaugeVec::new(
        Opts::new("barrage_build_info", "1 for each role of the process, with its version and instance."),
        &["version", "revision", "role", "instance"],
    )?;
    info.with_label_values(&[env!("CARGO_PKG_VERSION"), REVISION, "autoscaler", identity]).set(1);
    registry.register(Box::new(info))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_info_has_one_series_for_the_role_autoscaler() {
        let registry = Registry::new();
        register("autoscaler-0", &registry).unwrap();
        let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        let series =
            format!("instance=\"autoscaler-0\",revision=\"{REVISION}\",role=\"autoscaler\",version=");
        assert!(text.contains(&series), "{text}");
        assert_eq!(text.lines().filter(|line| line.ends_with("} 1")).count(), 1);
    }
}
