//! The scenarios that are built into the binary.

use crate::scenario::{Scenario, ScenarioError};

/// Names and texts of the built-in scenarios.
pub const SHIPPED: [(&str, &str); 11] = [
    ("smoke", include_str!("../../scenarios/smoke.yaml")),
    ("steady", include_str!("../../scenarios/steady.yaml")),
    ("celebrity", include_str!("../../scenarios/celebrity.yaml")),
    ("open", include_str!("../../scenarios/open.yaml")),
    ("autoscale", include_str!("../../scenarios/autoscale.yaml")),
    ("storm", include_str!("../../scenarios/storm.yaml")),
    ("stampede", include_str!("../../scenarios/stampede.yaml")),
    ("hundred-thousand", include_str!("../../scenarios/hundred-thousand.yaml")),
    ("three-hundred-thousand", include_str!("../../scenarios/three-hundred-thousand.yaml")),
    ("thousand-rooms", include_str!("../../scenarios/thousand-rooms.yaml")),
    ("replay", include_str!("../../scenarios/replay.yaml")),
];

/// Returns the text of a built-in scenario; `None` for an unknown name.
#[must_use]
pub fn text(name: &str) -> Option<&'static str> {
    SHIPPED.iter().find(|(shipped, _)| *shipped == name).map(|(_, text)| *text)
}

/// Returns a built-in scenario by its name.
#[must_use]
pub fn scenario(name: &str) -> Option<Result<Scenario, ScenarioError>> {
    text(name).map(Scenario::parse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_scenario_is_valid_and_named_as_its_file() {
        for (name, _) in SHIPPED {
            let scenario = scenario(name).unwrap().unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(scenario.name, name);
            assert!(!scenario.about.is_empty() && !scenario.thresholds.is_empty(), "{name}");
        }
    }

    #[test]
    fn example_of_the_guide_is_valid() {
        let guide = include_str!("../../../docs/guide/load-test.md");
        let example = guide.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        Scenario::parse(example).unwrap_or_else(|error| panic!("{error}"));
    }

    #[test]
    fn a_part_of_the_giant_room_receives_as_many_messages() {
        let whole = scenario("three-hundred-thousand").unwrap().unwrap();
        let part = Scenario { viewers: 3_000, ..whole.clone() };
        for scenario in [&whole, &part] {
            assert!((scenario.posts_per_s_max() - 50.0).abs() < 1e-6, "{}", scenario.posts_per_s_max());
            scenario.check().unwrap();
        }
        assert_eq!((whole.viewers_share(), part.viewers_share()), (1.0, 0.01));
    }

    #[test]
    fn celebrity_scenario_joins_within_ten_seconds() {
        let population = scenario("celebrity").unwrap().unwrap().population();
        let full = f64::from(population.peak());
        let reached = |share: f64| {
            (0..10_000)
                .map(|tenth| f64::from(tenth) / 10.0)
                .find(|secs| population.at(*secs).is_some_and(|(viewers, _)| viewers >= share * full))
        };
        assert!(reached(0.999).unwrap() - reached(0.051).unwrap() <= 10.1);
    }
}
