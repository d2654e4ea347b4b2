//! One libFuzzer program for all targets: `FUZZ_TARGET` names the one that runs.

#![no_main]

use std::sync::LazyLock;

use barrage_fuzz::Target;
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<&'static Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
    barrage_fuzz::target(&name).expect("the target exists: cargo xtask fuzz --list")
});

fuzz_target!(|input: &[u8]| (TARGET.run)(input));
