//! The numbers of the configuration, and the range of each.

use std::fmt::Display;

use barrage_recorder::RecorderConfig;

use super::{Config, Problem};

/// Seconds in a day, and days that anything is kept at most.
const DAY_SECS: u64 = 86_400;
/// Bytes of a gibibyte.
const GIB: u64 = 1 << 30;

/// Every number outside its range.
pub(super) fn problems(config: &Config) -> Vec<Problem> {
    let mut found = Found::default();
    listeners(config, &mut found);
    tokens(config, &mut found);
    bus(config, &mut found);
    gateway(config, &mut found);
    overload(config, &mut found);
    uplink(config, &mut found);
    moderation(config, &mut found);
    entry(config, &mut found);
    stores(config, &mut found);
    servers(config, &mut found);
    let policy = config.autoscale.policy.problems();
    found.0.extend(policy.iter().map(|problem| in_part("autoscale.policy", problem)));
    found.0
}

fn in_part(part: &str, problem: &impl Display) -> Problem {
    let text = format!("{part}.{problem}");
    let key = text.split([' ', ':']).next().unwrap_or(part).to_owned();
    Problem::new(key, text)
}

#[derive(Default)]
struct Found(Vec<Problem>);

impl Found {
    fn range(&mut self, key: &str, value: impl TryInto<u64>, min: u64, max: u64) {
        let value = value.try_into().unwrap_or(u64::MAX);
        if !(min..=max).contains(&value) {
            self.0.push(Problem::value(key, value, format!("{min} to {max}")));
        }
    }

    fn share(&mut self, key: &str, value: f64) {
        if !(value > 0.0 && value <= 1.0) {
            self.0.push(Problem::value(key, value, "above 0, and 1 at most"));
        }
    }

    fn ascending(&mut self, key: &str, values: [u64; 3]) {
        if values[0] == 0 || values[0] >= values[1] || values[1] >= values[2] {
            self.0.push(Problem::value(
                key,
                format!("{values:?}"),
                "three numbers above 0, each above the one before",
            ));
        }
    }

    fn breaker(&mut self, part: &str, breaker: &barrage_flow::BreakerConfig) {
        self.range(&format!("{part}.window_ms"), breaker.window_ms, 100, 600_000);
        self.range(&format!("{part}.calls_min"), breaker.calls_min, 1, 1_000_000);
        self.share(&format!("{part}.failure_share"), breaker.failure_share);
        self.range(&format!("{part}.slow_ms"), breaker.slow_ms, 1, 600_000);
        self.share(&format!("{part}.slow_share"), breaker.slow_share);
        self.range(&format!("{part}.pause_ms"), breaker.pause_ms, 1, 600_000);
        self.range(&format!("{part}.pause_ms_max"), breaker.pause_ms_max, breaker.pause_ms, 3_600_000);
        self.range(&format!("{part}.probes"), breaker.probes, 1, 1_000);
    }

    fn recorder(&mut self, part: &str, recorder: &RecorderConfig) {
        self.range(&format!("{part}.bytes_max"), recorder.bytes_max, 0, 16 * GIB);
        self.range(&format!("{part}.minutes"), recorder.minutes, 1, 1_440);
        self.range(&format!("{part}.files_max"), recorder.files_max, 1, 10_000);
    }
}

fn listeners(config: &Config, found: &mut Found) {
    let http = &config.http;
    found.range("listen (number of addresses)", config.listen.len(), 1, 16);
    found.range("health.beat_secs_max", config.health.beat_secs_max, 2, 3_600);
    found.range("http.header_secs", http.header_secs, 1, 60);
    found.range("http.body_secs", http.body_secs, 1, 600);
    found.range("http.idle_secs", http.idle_secs, 1, 3_600);
    found.range("http.header_bytes_max", http.header_bytes_max, 8_192, 1 << 20);
    found.range("http.connections_max", http.connections_max, 1, 1_000_000);
    found.range("http.write_stall_secs", http.write_stall_secs, 1, 600);
    found.range("http.unsent_bytes_max", http.unsent_bytes_max, 1_024, 1 << 30);
    found.range("http.address_connections_max", http.address_connections_max, 1, 1_000_000);
    found.range("http.ipv6_site_factor", http.ipv6_site_factor, 1, 65_536);
    found.range("http.hsts_secs", http.hsts_secs, 0, 10 * 365 * DAY_SECS);
    for (name, value) in [
        ("history_per_s", http.limits.history_per_s),
        ("poll_per_s", http.limits.poll_per_s),
        ("guests_per_s", http.limits.guests_per_s),
        ("tunnel_per_s", http.limits.tunnel_per_s),
        ("page_per_s", http.limits.page_per_s),
        ("race_per_s", http.limits.race_per_s),
        ("bad_tokens_per_s", http.limits.bad_tokens_per_s),
    ] {
        found.range(&format!("http.limits.{name}"), value, 1, 100_000_000);
    }
    found.range("http.limits.burst_secs", http.limits.burst_secs, 1, 3_600);
    found.range("http.limits.addresses_max", http.limits.addresses_max, 1, 100_000_000);
    found.range("http.shutdown_secs", http.shutdown_secs, 0, 600);
}

fn tokens(config: &Config, found: &mut Found) {
    found.range("token.leeway_secs", config.token.leeway_secs, 0, 60);
    found.range("token.keys (number of keys)", config.token.keys.len(), 0, 16);
}

fn bus(config: &Config, found: &mut Found) {
    let bus = &config.bus;
    found.range("bus.retention_secs", bus.retention_secs, 1, 30 * DAY_SECS);
    found.range("bus.chat_per_room_max", bus.chat_per_room_max, 1, 1 << 24);
    found.range("bus.precious_per_room_max", bus.precious_per_room_max, 1, 1 << 24);
    found.range("bus.dedup_secs", bus.dedup_secs, 1, DAY_SECS);
    found.range("bus.dedup_per_room_max", bus.dedup_per_room_max, 1, 1 << 26);
    found.range("bus.log_secs", bus.log_secs, 1, 365 * DAY_SECS);
    found.range("bus.rooms_max", bus.rooms_max, 1, 10_000_000);
    found.range("bus.queue_max", bus.queue_max, 1, 1 << 20);
    found.range("bus.subscriber_lag_max", bus.subscriber_lag_max, 16, 1 << 20);
    found.range("bus.restrictions_max", bus.restrictions_max, 1, 10_000_000);
    found.range("bus.revocations_max", bus.revocations_max, 1, 10_000_000);
}

fn gateway(config: &Config, found: &mut Found) {
    let gateway = &config.gateway;
    found.range("gateway.shards", gateway.shards, 0, 1_024);
    found.range("gateway.window_ms", gateway.window_ms, 1, 5_000);
    found.range("gateway.window_ms_max", gateway.window_ms_max, 1, 5_000);
    found.range("gateway.joins_per_s", gateway.joins_per_s, 1, 1_000_000);
    found.range("gateway.joins_wait_ms_max", gateway.joins_wait_ms_max, 0, 60_000);
    found.range("gateway.viewers_max", gateway.viewers_max, 1, 1_000_000);
    found.range("gateway.egress_bytes_per_s", gateway.egress_bytes_per_s, 10_000, 1 << 40);
    found.range("gateway.behind_secs_max", gateway.behind_secs_max, 1, 3_600);
    found.range("gateway.batch_messages_max", gateway.batch_messages_max, 1, 10_000);
    found.range("gateway.wave_viewers_max", gateway.wave_viewers_max, 1, 1_000_000);
    found.range("gateway.pulse_ms", gateway.pulse_ms, 100, 60_000);
    found.range("gateway.ping_interval_ms", gateway.ping_interval_ms, 1_000, 600_000);
    found.range("gateway.ping_margin_ms", gateway.ping_margin_ms, 1, 600_000);
    found.range("gateway.join_secs", gateway.join_secs, 1, 600);
    found.range("gateway.linger_secs", gateway.linger_secs, 0, DAY_SECS);
    found.range("gateway.deflate_effort", gateway.deflate_effort, 1, 9);
    found.range("gateway.queue_soft_bytes", gateway.queue_soft_bytes as u64, 4_096, 1 << 26);
    let soft = gateway.queue_soft_bytes as u64;
    found.range("gateway.queue_hard_bytes", gateway.queue_hard_bytes as u64, soft.min(1 << 26), 1 << 28);
    found.range("gateway.socket_send_bytes", gateway.socket_send_bytes, 1, 1 << 30);
    found.range("gateway.repair_chat_max", gateway.repair_chat_max, 1, 100_000);
    found.range("gateway.client_frames_per_s", gateway.client_frames_per_s, 1, 100_000);
    found.range("gateway.control_frames_per_s", gateway.control_frames_per_s, 1, 100_000);
    found.range("gateway.bad_frames_max", gateway.bad_frames_max, 1, 100_000);
    found.range("gateway.poll_wait_secs_max", gateway.poll_wait_secs_max, 1, 600);
    found.range("gateway.drain_secs", gateway.drain_secs, 0, 3_600);
    found.range("gateway.drain_secs_max", gateway.drain_secs_max, gateway.drain_secs.min(3_600), 86_400);
    found.range("gateway.notice_resend_ms", gateway.notice_resend_ms, 100, 600_000);
    found.range("gateway.notice_sends_max", gateway.notice_sends_max, 1, 1_000);
    found.range("gateway.answer_bytes_max", gateway.answer_bytes_max, 4_096, 1 << 26);
    found.range("gateway.repair_bytes_per_s", gateway.repair_bytes_per_s, 1_024, 1 << 30);
    found.range("gateway.batch_bytes_max", gateway.batch_bytes_max, 4_096, 1 << 26);
    found.range("gateway.user_connections_max", gateway.user_connections_max, 1, 1_000_000);
    found.recorder("gateway.recorder", &gateway.recorder);
}

fn overload(config: &Config, found: &mut Found) {
    let (heat, overload) = (&config.gateway.heat, &config.gateway.overload);
    found.ascending("gateway.heat.viewers", heat.viewers);
    found.ascending("gateway.heat.messages_per_s", heat.messages_per_s);
    found.range("gateway.heat.cool_ms", heat.cool_ms, 1, 3_600_000);
    found.range("gateway.overload.backlog_bytes_max", overload.backlog_bytes_max, 1, 1 << 40);
    found.range("gateway.overload.lag_ms_max", overload.lag_ms_max, 1, 60_000);
    found.share("gateway.overload.busy_share_max", overload.busy_share_max);
    found.range("gateway.overload.raise_ms", overload.raise_ms, 1, 600_000);
    found.range("gateway.overload.lower_ms", overload.lower_ms, 1, 600_000);
    found.share("gateway.overload.chat_share_min", overload.chat_share_min);
}

fn uplink(config: &Config, found: &mut Found) {
    let (uplink, limits) = (&config.uplink, &config.uplink.limits);
    found.range("uplink.post_bytes_max", uplink.post_bytes_max, 64, 1 << 20);
    found.range("uplink.package_bytes_max", uplink.package_bytes_max, 64, 16 << 20);
    found.range("uplink.body_secs", uplink.body_secs, 1, 600);
    found.range("uplink.text_chars_max", uplink.text_chars_max, 1, 10_000);
    // A guest's token cannot be taken back one by one: 30 days at most.
    found.range("uplink.guest_secs", uplink.guest_secs, 1, 30 * DAY_SECS);
    found.range("uplink.recent_max", uplink.recent_max, 1, 100_000_000);
    found.range("uplink.pulse_ms", uplink.pulse_ms, 10, 60_000);
    found.range("uplink.pulse_likes", uplink.pulse_likes, 1, 1_000_000);
    found.range("uplink.audit_days", uplink.audit_days, 1, 36_500);
    found.range("uplink.amount_minor_max", uplink.amount_minor_max, 1, 1 << 52);
    found.range("uplink.answer_bytes_max", uplink.answer_bytes_max as u64, 4_096, 1 << 26);
    let answer = (uplink.answer_bytes_max as u64).min(1 << 26);
    found.range("uplink.answers_bytes_total_max", uplink.answers_bytes_total_max as u64, answer, 16 * GIB);
    found.range("uplink.broadcast_rooms_at_once", uplink.broadcast_rooms_at_once as u64, 1, 65_536);
    found.range("uplink.broadcast_secs_max", uplink.broadcast_secs_max, 1, 3_600);
    if let Some(problem) = uplink.gifts_problem() {
        found.0.push(Problem::new("uplink.gifts", format!("uplink.gifts: {problem}")));
    }
    found.recorder("uplink.recorder", &uplink.recorder);
    for (name, value) in [
        ("address_per_s", limits.address_per_s),
        ("user_per_s", limits.user_per_s),
        ("platform_per_s", limits.platform_per_s),
        ("room_display_chat_per_s", limits.room_display_chat_per_s),
    ] {
        found.range(&format!("uplink.limits.{name}"), value, 1, 100_000_000);
    }
    found.range("uplink.limits.burst_secs", limits.burst_secs, 1, 3_600);
    found.range("uplink.limits.rooms_max", limits.rooms_max, 1, 10_000_000);
    for unknown in limits.unknown_shadow_rules() {
        let expected = format!("one of {}", barrage_uplink::LIMIT_RULES.join(", "));
        found.0.push(Problem::value("uplink.limits.shadow", format!("{unknown:?}"), expected));
    }
}

fn moderation(config: &Config, found: &mut Found) {
    let moderation = &config.moderation;
    found.0.extend(moderation.problems().iter().map(|error| Problem::new("moderation", error.to_string())));
    found.range("moderation.text_bytes_max", moderation.text_bytes_max, 1, 16 << 20);
    found.range("moderation.repeat.user_secs", moderation.repeat.user_secs, 1, DAY_SECS);
    found.range("moderation.repeat.room_secs", moderation.repeat.room_secs, 1, DAY_SECS);
    found.range("moderation.repeat.keys_max", moderation.repeat.keys_max, 1, 1 << 26);
    found.range("moderation.escalation.window_mins", moderation.escalation.window_mins, 1, 1_440);
    found.range("moderation.escalation.mute_mins", moderation.escalation.mute_mins, 1, 525_600);
    found.range("moderation.escalation.keys_max", moderation.escalation.keys_max, 1, 1 << 26);
    if let Some(hook) = &moderation.hook {
        found.range("moderation.hook.deadline_ms", hook.deadline_ms, 1, 60_000);
        found.range("moderation.hook.calls_max", hook.calls_max, 1, 100_000);
        found.range("moderation.hook.answer_bytes_max", hook.answer_bytes_max, 2, 16 << 20);
        found.breaker("moderation.hook.breaker", &hook.breaker);
    }
}

fn entry(config: &Config, found: &mut Found) {
    let entry = &config.entry;
    found.range("entry.gateways_max", entry.gateways_max, 1, 100);
    found.range("entry.ttl_ms", entry.ttl_ms, 1, 3_600_000);
    found.range("entry.race_width", entry.race_width, 1, 100);
    found.range("entry.race_timeout_ms", entry.race_timeout_ms, 1, 60_000);
    found.range("entry.race_bytes", entry.race_bytes, 1, 1 << 20);
    found.range("entry.backoff_base_ms", entry.backoff_base_ms, 1, 600_000);
    found.range("entry.backoff_max_ms", entry.backoff_max_ms, entry.backoff_base_ms.min(600_000), 3_600_000);
    found.range("entry.address_per_s", entry.address_per_s, 1, 100_000_000);
    found.range("entry.ticket_wait_secs_max", entry.ticket_wait_secs_max, 1, 3_600);
    found.range("entry.ticket_life_secs", entry.ticket_life_secs, 1, 3_600);
    found.range("entry.address_grants_max", entry.address_grants_max, 1, 100_000_000);
    found.range("entry.site_grants_max", entry.site_grants_max, 1, 100_000_000);
    found.range("entry.grant_secs", entry.grant_secs, 1, 3_600);
    found.range("entry.uplinks_max", entry.uplinks_max, 1, 100);
    found.0.extend(entry.weights.problems().iter().map(|problem| in_part("entry", problem)));
}

fn stores(config: &Config, found: &mut Found) {
    let (store, archiver) = (&config.store, &config.archiver);
    found.range("store.readers", store.readers, 1, 1_000);
    found.range("store.busy_timeout_ms", store.busy_timeout_ms, 1, 600_000);
    found.range("store.acquire_timeout_ms", store.acquire_timeout_ms, 1, 600_000);
    if let Some(postgres) = &config.postgres {
        found.range("postgres.connections", postgres.connections, 1, 1_000);
        found.range("postgres.acquire_timeout_ms", postgres.acquire_timeout_ms, 1, 600_000);
        found.range("postgres.call_timeout_ms", postgres.call_timeout_ms, 1, 600_000);
    }
    found.range("archiver.batch_messages_max", archiver.batch_messages_max, 1, 100_000);
    found.range("archiver.poll_interval_ms", archiver.poll_interval_ms, 1, 600_000);
    found.range("archiver.backoff_initial_ms", archiver.backoff_initial_ms, 1, 600_000);
    found.range("archiver.backoff_max_ms", archiver.backoff_max_ms, 1, 3_600_000);
    found.range("archiver.append_timeout_ms", archiver.append_timeout_ms, 1, 3_600_000);
    found.range("archiver.drain_timeout_ms", archiver.drain_timeout_ms, 0, 3_600_000);
    found.range("archiver.retention_hours", archiver.retention_hours, 0, 876_000);
    found.range("archiver.retention_interval_secs", archiver.retention_interval_secs, 1, DAY_SECS);
    found.range("archiver.retention_chunk_rows", archiver.retention_chunk_rows, 1, 1_000);
    found.range("quota.keys_max", config.quota.keys_max, 1, 1 << 30);
    found.range("quota.shards", config.quota.shards, 1, 1_024);
}

fn servers(config: &Config, found: &mut Found) {
    if let Some(nats) = &config.nats {
        found.range("nats.replicas", nats.replicas, 1, 5);
        found.range("nats.partitions", nats.partitions, 1, 64);
        found.range("nats.first_sequence", nats.first_sequence, 1, (1 << 53) - 1);
        found.range("nats.stream_bytes_max", nats.stream_bytes_max, 1 << 20, 1 << 50);
        found.range("nats.ack_timeout_ms", nats.ack_timeout_ms, 1, 600_000);
        found.range("nats.publish_deadline_ms", nats.publish_deadline_ms, 1, 600_000);
        found.range("nats.request_timeout_ms", nats.request_timeout_ms, 1, 600_000);
        found.range("nats.connect_timeout_ms", nats.connect_timeout_ms, 1, 600_000);
        found.range("nats.start_deadline_ms", nats.start_deadline_ms, 0, 3_600_000);
        found.range("nats.ping_interval_secs", nats.ping_interval_secs, 1, 3_600);
        found.range("nats.reconnect_pause_ms_max", nats.reconnect_pause_ms_max, 1, 600_000);
        found.range("nats.scan_messages_max", nats.scan_messages_max, 1, 100_000_000);
        found.range("nats.gather_us_max", nats.gather_us_max.unwrap_or_default(), 0, 100_000);
    }
    if let Some(redis) = &config.redis {
        found.range("redis.deadline_ms", redis.deadline_ms, 1, 500);
        found.range("redis.keys_max", redis.keys_max, 1, 1 << 30);
        found.range("redis.shards", redis.shards, 1, 1_024);
        found.range("redis.lease.length_ms", redis.lease.length_ms, 0, 60_000);
        found.share("redis.lease.share_max", redis.lease.share_max);
        found.breaker("redis.breaker", &redis.breaker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_their_ranges() {
        let config = Config {
            nats: Some(Default::default()),
            redis: Some(Default::default()),
            postgres: Some(Default::default()),
            ..Config::default()
        };
        assert_eq!(problems(&config), []);
    }

    #[test]
    fn each_number_out_of_range_is_said_with_key_value_and_range() {
        let mut config = Config::default();
        config.uplink.limits.user_per_s = 0;
        config.uplink.limits.shadow = vec!["typo".into()];
        config.uplink.guest_secs = 315_360_000;
        config.uplink.post_bytes_max = 1 << 40;
        config.gateway.heat.viewers = [10, 5, 1];
        config.gateway.overload.busy_share_max = f64::NAN;
        let said: Vec<_> = problems(&config).iter().map(ToString::to_string).collect();
        for line in [
            "uplink.limits.user_per_s = 0: must be 1 to 100000000",
            "uplink.guest_secs = 315360000: must be 1 to 2592000",
            "uplink.post_bytes_max = 1099511627776: must be 64 to 1048576",
            "gateway.overload.busy_share_max = NaN: must be above 0, and 1 at most",
        ] {
            assert!(said.iter().any(|said| said == line), "{line} is not in {said:#?}");
        }
        for start in
            ["uplink.limits.shadow = \"typo\": must be one of ", "gateway.heat.viewers = [10, 5, 1]: "]
        {
            assert!(said.iter().any(|said| said.starts_with(start)), "{start} is not in {said:#?}");
        }
        assert_eq!(said.len(), 6, "{said:#?}");
    }
}
