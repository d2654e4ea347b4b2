//! A small recording inside the binary, so that a first run shows messages without any file.

/// Two minutes of chat about a rocket launch, in the format of a live recorder, with gifts, memberships
/// and super chats. Written for this project.
pub const DEMO: &[u8] = include_bytes!("../assets/demo.xml");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ItemKind, Limits, Skipped};

    #[test]
    fn the_demo_parses_without_a_skip_and_has_every_kind() {
        let demo = crate::parse(DEMO, &Limits::default()).unwrap();
        assert_eq!(demo.skipped, Skipped::default());
        assert!((140..=200).contains(&demo.items.len()), "{}", demo.items.len());
        assert!((110_000..=120_000).contains(&demo.duration_ms()), "{}", demo.duration_ms());
        let count =
            |wanted: fn(&ItemKind) -> bool| demo.items.iter().filter(|item| wanted(&item.kind)).count();
        assert!(count(|kind| matches!(kind, ItemKind::Gift { .. })) >= 8);
        assert!(count(|kind| matches!(kind, ItemKind::SuperChat { .. })) >= 4);
    }
}
