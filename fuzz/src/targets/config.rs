//! Tables of the configuration, as TOML.

use barrage_part::Problem;
use serde::Deserialize;

/// The tables with the most keys. `barrage` itself merges them from file and environment.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tables {
    bus: barrage_bus::BusConfig,
    nats: Option<barrage_bus::NatsConfig>,
    gateway: barrage_gateway::GatewayConfig,
    http: barrage_http::HttpConfig,
    irc: barrage_irc::IrcConfig,
    moderation: barrage_moderation::ModerationConfig,
    token: barrage_token::TokenConfig,
    uplink: barrage_uplink::UplinkConfig,
    webhooks: barrage_webhooks::WebhooksConfig,
}

/// Reads a file and checks each table; problems are bounded texts.
pub(super) fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(tables) = toml::from_str::<Tables>(text) else { return };
    let mut problems: Vec<Problem> = tables.bus.out_of_range("bus");
    problems.extend(tables.nats.iter().flat_map(|nats| nats.out_of_range("nats")));
    problems.extend(tables.gateway.out_of_range("gateway"));
    problems.extend(tables.http.out_of_range("http"));
    problems.extend(tables.irc.out_of_range("irc"));
    problems.extend(tables.moderation.out_of_range("moderation"));
    problems.extend(tables.token.out_of_range("token"));
    problems.extend(tables.uplink.out_of_range("uplink"));
    problems.extend(tables.webhooks.out_of_range("webhooks"));
    for problem in problems {
        assert!(problem.to_string().contains(':'), "{problem}");
    }
}
