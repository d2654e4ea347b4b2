//! Checks of numbers: each against its range, and those that depend on another key.

use barrage_part::Problem as OutOfRange;

use super::{Config, Problem};

/// Maximum number of public addresses that one process listens on.
const LISTENERS_MAX: usize = 16;
/// Maximum number of keys that verify tokens.
const KEYS_MAX: usize = 16;

/// Returns every number outside of its range, and every broken relation between two keys.
pub(crate) fn problems(config: &Config) -> Vec<Problem> {
    let mut found = config.out_of_range("");
    counts(config, &mut found);
    ascending("gateway.heat.viewers", config.gateway.heat.viewers, &mut found);
    ascending("gateway.heat.messages_per_s", config.gateway.heat.messages_per_s, &mut found);
    orders(config, &mut found);
    found.extend(config.trace.sampling.watch_problems("trace.sampling"));
    let policy = config.autoscale.policy.problems();
    found.extend(
        policy
            .into_iter()
            .map(|problem| OutOfRange { key: format!("autoscale.policy.{}", problem.key), ..problem }),
    );
    let mut problems: Vec<Problem> = Vec::new();
    for problem in found.into_iter().map(Problem::from) {
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    lists(config, &mut problems);
    problems
}

fn counts(config: &Config, found: &mut Vec<OutOfRange>) {
    let listeners = config.listen.len();
    if !(1..=LISTENERS_MAX).contains(&listeners) {
        let expected = format!("1 to {LISTENERS_MAX}");
        found.push(OutOfRange::new("listen (number of addresses)", listeners, expected));
    }
    if config.token.keys.len() > KEYS_MAX {
        let expected = format!("0 to {KEYS_MAX}");
        found.push(OutOfRange::new("token.keys (number of keys)", config.token.keys.len(), expected));
    }
}

fn ascending(key: &str, values: [u64; 3], found: &mut Vec<OutOfRange>) {
    if values[0] == 0 || values[0] >= values[1] || values[1] >= values[2] {
        let expected = "three numbers above 0, each above the one before";
        found.push(OutOfRange::new(key, format!("{values:?}"), expected));
    }
}

/// Checks pairs of keys of which the second must not be below the first.
fn orders(config: &Config, found: &mut Vec<OutOfRange>) {
    let (gateway, uplink, entry) = (&config.gateway, &config.uplink, &config.entry);
    let mut order = |key: &str, value: u64, other: &str, least: u64| {
        if value < least {
            found.push(OutOfRange::new(key, value, format!("at least {other} ({least})")));
        }
    };
    order(
        "gateway.queue_hard_bytes",
        gateway.queue_hard_bytes as u64,
        "queue_soft_bytes",
        gateway.queue_soft_bytes as u64,
    );
    order("gateway.drain_secs_max", gateway.drain_secs_max, "drain_secs", gateway.drain_secs);
    order(
        "uplink.answers_bytes_total_max",
        uplink.answers_bytes_total_max as u64,
        "answer_bytes_max",
        uplink.answer_bytes_max as u64,
    );
    order("entry.backoff_max_ms", entry.backoff_max_ms, "backoff_base_ms", entry.backoff_base_ms);
    let hook = config.moderation.hook.as_ref().map(|hook| ("moderation.hook.breaker", &hook.breaker));
    let redis = config.redis.as_ref().map(|redis| ("redis.breaker", &redis.breaker));
    let pages = config.history_redis.as_ref().map(|pages| ("history_redis.breaker", &pages.breaker));
    for (part, breaker) in hook.into_iter().chain(redis).chain(pages) {
        order(&format!("{part}.pause_ms_max"), breaker.pause_ms_max, "pause_ms", breaker.pause_ms);
    }
}

fn lists(config: &Config, problems: &mut Vec<Problem>) {
    if let Some(problem) = config.uplink.reactions_problem() {
        problems.push(Problem::new("uplink.reactions", problem.to_string()));
    }
    if let Some(problem) = config.uplink.gifts_problem() {
        problems.push(Problem::new("uplink.gifts", format!("uplink.gifts: {problem}")));
    }
    if let Some(problem) = config.uplink.super_chats_problem() {
        problems.push(Problem::new("uplink.super_chats", problem.to_string()));
    }
    if let Some(problem) = config.uplink.event_senders_problem() {
        problems.push(Problem::new("uplink.event_senders", problem.to_string()));
    }
    if let Some(problem) = config.probe.sites_problem() {
        problems.push(Problem::new("probe.sites", format!("probe.sites: {problem}")));
    }
    for unknown in config.uplink.limits.unknown_shadow_rules() {
        let expected = format!("one of {}", barrage_uplink::LIMIT_RULES.join(", "));
        problems.push(Problem::value("uplink.limits.shadow", format!("{unknown:?}"), expected));
    }
    let moderation = config.moderation.problems();
    problems.extend(moderation.iter().map(|error| Problem::new("moderation", error.to_string())));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_within_their_ranges() {
        let config = Config {
            nats: Some(Default::default()),
            redis: Some(Default::default()),
            history_redis: Some(Default::default()),
            postgres: Some(Default::default()),
            ..Config::default()
        };
        assert_eq!(problems(&config), []);
    }

    #[test]
    fn each_number_out_of_range_is_reported_with_key_value_and_range() {
        let mut config = Config::default();
        config.uplink.limits.user_per_s = 0;
        config.uplink.limits.shadow = vec!["typo".into()];
        config.uplink.guest_secs = 315_360_000;
        config.uplink.post_bytes_max = 1 << 40;
        config.gateway.heat.viewers = [10, 5, 1];
        config.gateway.overload.busy_share_max = f64::NAN;
        config.gateway.queue_hard_bytes = 8_192;
        config.autoscale.policy.tick_secs = 0.0;
        let lines: Vec<_> = problems(&config).iter().map(ToString::to_string).collect();
        for line in [
            "uplink.limits.user_per_s = 0: must be 1 to 100000000",
            "uplink.guest_secs = 315360000: must be 1 to 2592000",
            "uplink.post_bytes_max = 1099511627776: must be 64 to 1048576",
            "gateway.overload.busy_share_max = NaN: must be above 0 and at most 1",
            "gateway.queue_hard_bytes = 8192: must be at least queue_soft_bytes (65536)",
            "autoscale.policy.tick_secs = 0: must be above 0",
        ] {
            assert!(lines.iter().any(|found| found == line), "{line} is not in {lines:#?}");
        }
        for start in
            ["uplink.limits.shadow = \"typo\": must be one of ", "gateway.heat.viewers = [10, 5, 1]: "]
        {
            assert!(lines.iter().any(|found| found.starts_with(start)), "{start} is not in {lines:#?}");
        }
        assert_eq!(lines.len(), 8, "{lines:#?}");
    }
}
