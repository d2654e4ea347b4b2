//! The kept inputs and large inputs through every target, in seconds.

use std::collections::BTreeSet;
use std::time::Duration;

use barrage_fuzz::campaign::{self, Bounds};
use barrage_fuzz::{corpus, targets};

/// Mutated inputs of each target; `cargo xtask fuzz` runs many more.
const RUNS: u64 = 300;
/// Bytes of one file of kept inputs: they are read in reviews.
const FILE_BYTES_MAX: u64 = 64 << 10;

#[test]
fn kept_and_some_mutated_inputs_keep_every_promise() {
    let mut failures = Vec::new();
    for target in targets::ALL {
        let kept = corpus::read(target.name).unwrap();
        assert!(!kept.is_empty(), "{} has no input", target.name);
        let bounds = Bounds { time: Duration::from_millis(150), runs: RUNS, seed: 7 };
        // The largest inputs take their time; this test is not the one that measures them.
        let target = barrage_fuzz::Target { bytes_max: target.bytes_max.min(32 << 10), ..*target };
        failures.extend(campaign::run(&target, &kept, bounds).failure.map(|failure| (target.name, failure)));
    }
    assert_eq!(failures, []);
}

#[test]
fn files_of_kept_inputs_are_small_and_each_belongs_to_a_target() {
    let names: BTreeSet<_> = targets::ALL.iter().map(|target| format!("{}.txt", target.name)).collect();
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(corpus::folder()).unwrap() {
        let entry = entry.unwrap();
        assert!(entry.metadata().unwrap().len() <= FILE_BYTES_MAX, "{:?} is too large", entry.path());
        found.insert(entry.file_name().into_string().unwrap());
    }
    assert_eq!(found, names);
    assert_eq!(names.len(), targets::ALL.len(), "names are unique");
}
