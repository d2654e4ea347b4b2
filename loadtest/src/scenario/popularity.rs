//! The room of each viewer: the popularity of rooms follows Zipf's law.

use barrage_protocol::RoomId;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand_distr::{Distribution, Zipf};

use crate::scenario::RoomsConfig;

/// Rooms of a run and their popularity.
#[derive(Debug, Clone)]
pub struct Popularity {
    rooms: Vec<RoomId>,
    zipf: Option<Zipf<f64>>,
    seed: u64,
}

impl Popularity {
    /// Rooms `NAME`, or `NAME-1` (the most popular) to `NAME-COUNT`.
    #[must_use]
    pub fn new(config: &RoomsConfig, seed: u64) -> Self {
        let name = |n: u32| {
            let text = if config.count == 1 { config.name.clone() } else { format!("{}-{n}", config.name) };
            RoomId::parse(&text).ok()
        };
        let rooms: Vec<_> = (1..=config.count).filter_map(name).collect();
        let zipf = Zipf::new(rooms.len().max(1) as f64, config.zipf.max(0.0)).ok();
        Popularity { rooms, zipf, seed }
    }

    /// Returns all rooms, the most popular room first.
    #[must_use]
    pub fn rooms(&self) -> &[RoomId] {
        &self.rooms
    }

    /// Index of a viewer's room in [`Popularity::rooms`]; equal in every process.
    #[must_use]
    pub fn room_of(&self, viewer: u32) -> usize {
        let mut random = SmallRng::seed_from_u64(self.seed ^ u64::from(viewer).wrapping_mul(0x9e37_79b9));
        let rank = self.zipf.map_or(1.0, |zipf| zipf.sample(&mut random));
        (rank as usize).clamp(1, self.rooms.len()) - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(zipf: f64) -> Vec<f64> {
        let config = RoomsConfig { count: 100, name: "r".into(), zipf };
        let popularity = Popularity::new(&config, 7);
        let mut counts = vec![0.0; 100];
        for viewer in 0..100_000 {
            counts[popularity.room_of(viewer)] += 1.0;
        }
        counts
    }

    #[test]
    fn popularity_of_the_first_room_follows_zipf() {
        let law: f64 = (1..=100).map(|rank| 1.0 / f64::from(rank)).sum();
        let counts = counts(1.0);
        for (rank, count) in [(1.0, counts[0]), (2.0, counts[1]), (10.0, counts[9])] {
            let wanted = 100_000.0 / (rank * law);
            assert!((count - wanted).abs() < 6.0 * wanted.sqrt(), "rank {rank}: {count}, not {wanted}");
        }
    }

    #[test]
    fn zipf_exponent_of_zero_is_uniform() {
        assert!(counts(0.0).iter().all(|count| (800.0..1_200.0).contains(count)));
    }
}
