//! The kept verdict of the Autobahn test suite meets the bar: nothing failed, and at most two answers are late.

/// Written by `cargo xtask conformance --write`.
const VERDICT: &str = include_str!("autobahn.json");

#[test]
fn no_case_failed_and_at_most_two_are_not_strict() {
    let number = |side: &str, key: &str| {
        let after = VERDICT.split_once(&format!("\"{side}\": {{")).expect("both sides are in it").1;
        let (_, value) = after.split_once(&format!("\"{key}\": ")).expect("each side has this number");
        value.split([',', '\n']).next().and_then(|text| text.parse::<u32>().ok()).expect("it is a number")
    };
    for side in ["client", "server"] {
        assert_eq!((number(side, "all"), number(side, "FAILED")), (301, 0), "{side}");
        assert!(number(side, "NON-STRICT") <= 2, "{side}");
    }
}
