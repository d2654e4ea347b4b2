//! Identity of this process: version, revision, roles and instance ids.

use prometheus::{IntGaugeVec, Opts, Registry};

use super::listeners::Listeners;
use crate::config::Config;
use crate::roles::Roles;

/// Version of the package, from its manifest at build time.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Revision of the sources, from `BARRAGE_REVISION` at build time.
pub(super) const REVISION: &str = match option_env!("BARRAGE_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

/// Returns the roles of a process, each with its id in the registry. An archiver has no id there;
/// its role stands in for the id.
fn instances(roles: Roles, config: &Config) -> Vec<(&'static str, &str)> {
    let all = [
        (roles.gateway, "gateway", config.gateway.id.as_str()),
        (roles.uplink, "uplink", config.uplink.id.as_str()),
        (roles.entry, "entry", config.entry.id.as_str()),
        (roles.archiver, "archiver", "archiver"),
        (roles.webhooks, "webhooks", "webhooks"),
        (roles.media, "media", "media"),
        (roles.courier, "courier", "courier"),
        (roles.push, "push", "push"),
    ];
    all.into_iter().filter(|(runs, ..)| *runs).map(|(_, role, id)| (role, id)).collect()
}

/// Registers `barrage_build_info`, which has the value 1 for each role of this process.
pub(super) fn register(roles: Roles, config: &Config, registry: &Registry) -> prometheus::Result<()> {
    let info = IntGaugeVec::new(
        Opts::new("barrage_build_info", "1 for each role of the process, with its version and instance."),
        &["version", "revision", "role", "instance"],
    )?;
    for (role, id) in instances(roles, config) {
        info.with_label_values(&[VERSION, REVISION, role, id]).set(1);
    }
    registry.register(Box::new(info))
}

/// Logs the start of the process, in one line that identifies the process among others.
pub(super) fn log_start(roles: Roles, config: &Config, listeners: &Listeners) {
    let joined = |part: fn(&(&'static str, &str)) -> String| {
        instances(roles, config).iter().map(part).collect::<Vec<_>>().join(",")
    };
    let listen = listeners.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    tracing::info!(
        version = VERSION,
        revision = REVISION,
        role = joined(|(role, _)| (*role).to_owned()),
        id = joined(|(_, id)| (*id).to_owned()),
        listen,
        admin = %listeners.admin_address,
        config = %config.file.as_ref().map_or_else(|| "none".into(), |file| file.display().to_string()),
        "barrage starts"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_of_a_process_has_a_series_of_its_own() {
        let mut config = Config::default();
        config.gateway.id = "gateway-7".into();
        let registry = Registry::new();
        register(Roles::ALL, &config, &registry).unwrap();
        let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        let series = format!(
            "barrage_build_info{{instance=\"gateway-7\",revision=\"{REVISION}\",role=\"gateway\",version=\"{VERSION}\"}} 1"
        );
        assert!(text.contains(&series), "{text}");
        assert_eq!(text.lines().filter(|line| line.ends_with("} 1")).count(), 4);
        assert_eq!(instances(Roles::ARCHIVER, &config), [("archiver", "archiver")]);
    }
}
