//! Targets of the autoscaler on the built-in traces, compared with other autoscalers.

use std::collections::BTreeMap;

use barrage_autoscaler_lab::contenders::Contender;
use barrage_autoscaler_lab::input::built_in;
use barrage_autoscaler_lab::run::{Campaign, Outcome, run_all};
use barrage_scaling::{Knee, PolicyConfig};

fn judge(traces: &[&str], contenders: &[Contender], seeds: u64) -> Vec<BTreeMap<Contender, Outcome>> {
    let campaign = Campaign {
        traces: traces.iter().map(|name| built_in(name).unwrap()).collect(),
        contenders: contenders.to_vec(),
        seeds: (1..=seeds).collect(),
        knee: Knee {
            connections: 50_000.0,
            joins_per_s: 1_500.0,
            egress_bytes_per_s: Some(200e6),
            ..Knee::default()
        },
        policy: PolicyConfig::default(),
    };
    let results = run_all(&campaign, 2, &|| ());
    let sound = |outcome: &Outcome| outcome.wrong_victims == 0.0 && outcome.reversed_actions <= 2.0;
    for result in &results {
        assert!(sound(&result.outcomes[&Contender::Ours]), "{}: {:?}", result.trace, result.outcomes);
    }
    results.into_iter().map(|result| result.outcomes).collect()
}

#[test]
fn celebrity_costs_a_tenth_of_hpa_with_entry_and_a_fiftieth_of_hpa() {
    let outcomes = &judge(&["celebrity"], &[Contender::Ours, Contender::Hpa], 3)[0];
    let (ours, hpa) = (outcomes[&Contender::Ours], outcomes[&Contender::Hpa]);
    let others = [Contender::Ours, Contender::OursPrewarm, Contender::HpaEntry];
    let outcomes = &judge(&["celebrity"], &others, 1)[0];
    let (prewarmed, entry) = (outcomes[&Contender::OursPrewarm], outcomes[&Contender::HpaEntry]);
    assert!(ours.penalty() <= 0.1 * entry.penalty(), "{} of {}", ours.penalty(), entry.penalty());
    assert!(ours.penalty() <= 0.02 * hpa.penalty(), "{} of {}", ours.penalty(), hpa.penalty());
    assert!(ours.gateway_hours <= hpa.gateway_hours, "{} of {}", ours.gateway_hours, hpa.gateway_hours);
    assert!(ours.gateway_hours <= 1.65 * ours.lower_bound_gateway_hours);
    assert_eq!((prewarmed.overload_viewer_s, prewarmed.wrong_victims), (0.0, 0.0));
    assert!(ours.forced_closes < 1.0);
}

#[test]
fn calm_traces_cost_at_most_2_percent_more_than_hpa_and_cut_no_viewer() {
    for outcomes in judge(&["diurnal", "saw"], &[Contender::Ours, Contender::Hpa], 1) {
        let (ours, hpa) = (outcomes[&Contender::Ours], outcomes[&Contender::Hpa]);
        assert_eq!(ours.overload_viewer_s, 0.0);
        assert!(ours.forced_closes < 1.0);
        assert!(
            ours.gateway_hours <= 1.02 * hpa.gateway_hours,
            "{} of {}",
            ours.gateway_hours,
            hpa.gateway_hours
        );
        assert!(ours.gateway_hours <= 1.45 * ours.lower_bound_gateway_hours);
    }
}

#[test]
fn hot_chat_overloads_for_a_tenth_of_the_time_of_hpa() {
    let outcomes = &judge(&["hot_chat"], &[Contender::Ours, Contender::Hpa], 1)[0];
    let (ours, hpa) = (outcomes[&Contender::Ours], outcomes[&Contender::Hpa]);
    assert!(ours.overload_s <= 0.1 * hpa.overload_s, "{} of {}", ours.overload_s, hpa.overload_s);
}

#[test]
fn blackout_in_the_spike_costs_at_most_half_more() {
    let outcomes = judge(&["celebrity", "blackout"], &[Contender::Ours], 1);
    let [without, with] = [&outcomes[0], &outcomes[1]].map(|outcomes| outcomes[&Contender::Ours].penalty());
    assert!(with <= 1.5 * without, "{with} of {without}");
}
