//! Kept seeds hold, runs of one seed are the same, and each defect is found.

use barrage_simulation::run::{run, shorten};
use barrage_simulation::scenario::{KINDS, by_name};
use barrage_simulation::trace::Lines;

/// Seeds that failed once, by scenario, with what they found.
const KEPT: &[(&str, u64)] = &[
    // Chat that was left out behind a position inside of its batch was not counted.
    ("chain", 4),
];

/// Seeds of each scenario that run with every test. `cargo xtask simulate` runs 10,000.
const FIRST: u64 = 40;
/// Seeds within which a defect is found.
const FOUND_WITHIN: u64 = 300;

#[test]
fn kept_and_first_seeds_hold() {
    let kept = KEPT.iter().map(|(name, seed)| (by_name(name).expect("a scenario"), *seed));
    let first = KINDS.iter().flat_map(|kind| (1..=FIRST).map(move |seed| (kind, seed)));
    for (kind, seed) in kept.chain(first) {
        let broken = run(kind, seed, None, Lines::Hashed).broken;
        assert!(broken.is_none(), "cargo xtask simulate --scenario {} --seed {seed}: {broken:?}", kind.name);
    }
}

#[test]
fn runs_of_one_seed_are_the_same() {
    for kind in KINDS {
        let hash = |seed| run(kind, seed, None, Lines::Hashed).hash;
        let first: Vec<_> = (1..=8).map(hash).collect();
        let second: Vec<_> = (1..=8).rev().map(hash).collect();
        assert_eq!(first, second.into_iter().rev().collect::<Vec<_>>(), "{}", kind.name);
        assert_ne!(first[0], first[1], "{}", kind.name);
    }
}

#[test]
fn each_defect_is_found_and_its_run_is_shortened() {
    for kind in KINDS {
        assert!(!kind.mutations.is_empty(), "{}", kind.name);
        for mutation in kind.mutations {
            let fails = |seed: &u64| run(kind, *seed, Some(*mutation), Lines::Hashed).broken.is_some();
            let Some(seed) = (1..=FOUND_WITHIN).find(fails) else {
                panic!("{}: no seed up to {FOUND_WITHIN} finds {}", kind.name, mutation.name());
            };
            let short = shorten(kind, seed, Some(*mutation));
            assert!(
                short.broken.is_some() && short.events <= kind.events / 2,
                "{}: {short:?}",
                mutation.name()
            );
        }
    }
}

#[test]
fn shared_scripts_are_those_of_this_crate() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the root of the workspace");
    let file =
        std::fs::read_to_string(root.join("services/client/vectors/chain.json")).expect("the file is there");
    let made = barrage_simulation::vectors::chain();
    assert!(file == made, "run `cargo run -p barrage-simulation -- --vectors` and keep its output");
}
