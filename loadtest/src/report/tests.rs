use std::time::Duration;

use super::*;

/// A run of ten seconds; `lag_ms` is the delay of the load tester, `late_ms` that of the
/// server.
pub(crate) fn run(lag_ms: u64, late_ms: u64) -> Run {
    let mut scenario = crate::scenario::shipped::scenario("smoke").unwrap().unwrap();
    scenario.name = "<b>smoke & co</b>".into();
    let mut total = Interval::default();
    let mut series = Vec::new();
    for second in 0..10_u32 {
        let mut interval = Interval { viewers: u64::from(second) * 10, ..Interval::default() };
        interval.delivered.chat = 1_234;
        interval.chat.record(Duration::from_millis(late_ms));
        interval.gift.record(Duration::from_millis(late_ms));
        interval.lag.record(Duration::from_millis(lag_ms));
        interval.posts.chat = 5;
        interval.posts.broadcast = 5;
        total.add(&interval);
        series.push(Second {
            server_cores: Some(0.5),
            server_memory_bytes: Some(5e7),
            ..Second::new(second, f64::from(second) * 10.0, &interval)
        });
    }
    let balance = Balance { stays: 300, gifts_owed: 3_000, chats_owed: 12_340, ..Balance::default() };
    Run {
        scenario,
        target: "http://127.0.0.1:1".into(),
        started_unix_secs: 1_700_000_000,
        processes: 1,
        threads: 2,
        seed: 1,
        gathered_series: series,
        total,
        balance,
        notes: vec!["a note".into()],
        interrupted_at_secs: None,
    }
}

#[test]
fn verdict_follows_thresholds_and_the_load_testers_own_lag() {
    let judged = |lag_ms, late_ms| Report::new(run(lag_ms, late_ms)).verdict;
    assert_eq!(judged(1, 20), Verdict::Passed);
    assert_eq!(judged(1, 1_700), Verdict::Failed);
    // The run measured mostly the load tester itself.
    assert_eq!(judged(600, 20).exit_code(), 2);
    assert_eq!(judged(600, 1_700).exit_code(), 2);
}

#[test]
fn interrupted_run_keeps_its_figures_and_is_not_judged() {
    let mut cut = run(1, 1_700);
    cut.interrupted_at_secs = Some(5.0);
    let report = Report::new(cut);
    assert!(matches!(&report.verdict, Verdict::Interrupted(because) if because.contains("after 5 s")));
    assert_eq!(report.verdict.exit_code(), 130);
    assert!(report.json().contains("\"interrupted_at_secs\": 5.0"));
    // 12,340 deliveries within 5 s, not within the length of the scenario.
    assert_eq!(report.figures["deliveries_per_s"], 2_468.0);
}

#[test]
fn lost_gift_fails_the_run() {
    let mut run = run(1, 20);
    run.balance.gifts_lost = 1;
    let report = Report::new(run);
    assert_eq!(report.verdict, Verdict::Failed);
    let broken: Vec<_> = report.thresholds.iter().filter(|checked| !checked.holds).collect();
    assert_eq!(broken.len(), 1);
    assert_eq!(broken[0].threshold.figure(), "loss.gift");
}

#[test]
fn report_file_round_trips() {
    let report = Report::new(run(1, 20));
    let again: Report = serde_json::from_str(&report.json()).unwrap();
    assert_eq!(again.json(), report.json());
}

#[test]
fn a_part_of_a_room_is_told_with_its_proportion() {
    let mut part = run(1, 1);
    part.scenario.rates_for_viewers = Some(part.scenario.viewers * 4);
    let report = Report::new(part);
    assert!(report.notes[0].contains("(25.00 %)"), "{:?}", report.notes);
    let mut whole = run(1, 1);
    whole.scenario.rates_for_viewers = Some(whole.scenario.viewers);
    assert_eq!(Report::new(whole).notes, ["a note"]);
}

#[test]
fn the_window_is_what_lies_between_two_batches_of_a_viewer() {
    let second = |viewers, frames, deliveries| Second { viewers, frames, deliveries, ..Second::default() };
    // A ramp, and two seconds of 100 viewers with a batch each 50 and each 100 ms.
    let series = [second(50, 9, 9), second(100, 7, 0), second(100, 2_000, 1), second(100, 1_000, 1)];
    let interval = frame_interval_ms(&series).unwrap();
    assert!((interval - 1_000.0 * 200.0 / 3_000.0).abs() < 1e-9, "{interval}");
    assert_eq!(frame_interval_ms(&[]), None);
}
