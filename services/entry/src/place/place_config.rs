//! Settings of the choice by place.

barrage_part::part! {
    /// Costs of distance, and the race times that correct them.
    pub struct PlaceConfig {
        /// Cost of an endpoint in another region than the client's, in milliseconds: about how much longer
        /// a connect takes.
        region_ms: f64 = 180.0, between(0, 60_000);
        /// Cost of an endpoint without a line to the client's carrier, in milliseconds. It comes on top of
        /// the cost of another region.
        carrier_ms: f64 = 60.0, between(0, 60_000);
        /// Cost that halves an endpoint's share of the clients, in milliseconds. With the default, an idle
        /// endpoint of another region gets one client where a near one gets 147.
        halving_ms: f64 = 25.0, between(1, 60_000);
        /// Largest correction of a cost by race times in either direction, in milliseconds. It bounds what
        /// wrong reports can do. Above `region_ms`, the reports of most networks overrule the region file.
        race_ms_max: f64 = 200.0, between(0, 60_000);
        /// Networks (IPv4 /24, IPv6 /48) that must have reported a time of an endpoint before it counts.
        race_sources_min: usize = 5, between(1, 64);
        /// Age at which a race time counts half, in seconds. At three times this age it is forgotten.
        race_half_life_secs: u64 = 600, between(1, 86_400);
        /// Share of the races that include an endpoint by chance, whatever it costs: so entry learns the
        /// times of endpoints that the region file calls far.
        explore_share: f64 = 0.05, between(0, 1);
    }
}
