use barrage_bus::InstanceReport;
use barrage_protocol::RoomId;
use barrage_protocol::entry::{Endpoint, Transport};

/// Gateways named to one viewer at most.
const NAMED_MAX: usize = 3;
/// Weight of a gateway that reports no free joins: rarely drawn first.
const WEIGHT_MIN: f64 = 0.01;

/// Gateways that viewers are sent to. Empty: viewers ask entry.
#[derive(Debug, Default)]
pub(crate) struct Targets(Vec<Target>);

#[derive(Debug)]
struct Target {
    gateway: String,
    base_url: String,
    /// Free joins a second; gateways with more of them come first more often.
    weight: f64,
}

impl Targets {
    /// Returns the peers that do not drain and have places left.
    pub(crate) fn of<'a>(own_id: &str, reports: impl IntoIterator<Item = &'a InstanceReport>) -> Self {
        let open = reports
            .into_iter()
            .filter(|report| report.id != own_id && !report.draining && report.load.has_free_slot());
        let target = |report: &InstanceReport| {
            let free = f64::from(report.load.joins_per_s_max) - report.load.joins_per_s;
            let base_url = report.base_urls.first()?.clone();
            Some(Target { gateway: report.id.clone(), base_url, weight: free.max(WEIGHT_MIN) })
        };
        Targets(open.filter_map(target).collect())
    }

    /// Draws endpoints for one viewer, of its room or of the inbox: WebSockets, then event streams, each in the same
    /// random order. Gateways that admit more come first more often.
    pub(crate) fn draw(&self, room: Option<&RoomId>) -> Vec<Endpoint> {
        let key = |target: &Target| (1.0 - rand::random::<f64>()).ln() / target.weight;
        let mut drawn: Vec<_> = self.0.iter().map(|target| (key(target), target)).collect();
        drawn.sort_by(|a, b| b.0.total_cmp(&a.0));
        drawn.truncate(NAMED_MAX);
        let named = |transport| {
            let endpoint = move |(_, Target { gateway, base_url, .. }): &(f64, &Target)| match room {
                Some(room) => barrage_http::endpoint(gateway, base_url, transport, room.as_str()),
                None => barrage_http::inbox_endpoint(gateway, base_url, transport),
            };
            drawn.iter().map(endpoint)
        };
        named(Transport::Ws).chain(named(Transport::Sse)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrage_bus::Role;
    use barrage_scaling::LoadReport;

    fn gateway(id: &str) -> InstanceReport {
        let load = LoadReport { connections_max: 100, joins_per_s_max: 50, ..LoadReport::default() };
        let base_urls = vec![format!("https://{id}.example")];
        InstanceReport { load, base_urls, ..InstanceReport::new(Role::Gateway, id) }
    }

    #[test]
    fn open_peers_are_named_and_the_gateway_itself_is_not() {
        let mut full = gateway("full");
        full.load.connections = 100.0;
        let draining = InstanceReport { draining: true, ..gateway("draining") };
        let reports = [gateway("own"), gateway("open"), full, draining];
        let targets = Targets::of("own", &reports);
        let urls = |room: Option<&RoomId>| -> Vec<_> {
            targets.draw(room).into_iter().map(|endpoint| endpoint.url).collect()
        };
        let expected = ["wss://open.example/v1/rooms/demo/ws", "https://open.example/v1/rooms/demo/sse"];
        assert_eq!(urls(Some(&"demo".parse().unwrap())), expected);
        assert_eq!(urls(None), ["wss://open.example/v1/inbox/ws", "https://open.example/v1/inbox/sse"]);
    }

    #[test]
    fn at_most_three_gateways_are_named() {
        let reports: Vec<_> = ["a", "b", "c", "d", "e"].map(gateway).into();
        let endpoints = Targets::of("own", &reports).draw(Some(&"demo".parse().unwrap()));
        assert_eq!(endpoints.len(), 2 * NAMED_MAX);
    }
}
