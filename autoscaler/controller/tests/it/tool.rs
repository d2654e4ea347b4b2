//! The binary as users run it.

use std::path::Path;
use std::process::{Command, Output};

use barrage_scaling::PolicyConfig;

const TRACE: &str = "name = \"show\"\nviewers = [[0, 1e5], [60, 1e5], [180, 5e5], [300, 5e5]]\n\
                     deaths = [[200, 1]]\nblackouts = [[220, 240]]\n";

fn run(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_barrage-autoscaler"));
    command.current_dir(folder).args(args).output().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn simulate_writes_table_json_page_and_a_log_that_can_be_explained() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("show.toml"), TRACE).unwrap();
    let out = text(&run(
        at,
        &["simulate", "--trace", "show.toml", "--seeds", "1", "--policy", "ours", "--policy", "hpa"]
            .into_iter()
            .chain(["--json", "--html", "page.html", "--record", "log.jsonl"])
            .collect::<Vec<_>>(),
    ));
    assert!(out.starts_with("show (lower bound"), "{out}");
    for part in ["viewer-s", "gw-hours", "ours needs", "Kubernetes' HPA decides"] {
        assert!(out.contains(part), "{part} is not in {out}");
    }
    let json: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    for policy in ["ours", "hpa"] {
        for field in [
            "overload_viewer_s",
            "wait_viewer_s",
            "gateway_hours",
            "lower_bound_gateway_hours",
            "scale_actions",
            "reversed_actions",
            "forced_closes",
            "paced_moves",
            "wrong_victims",
        ] {
            assert!(json[policy][field].is_number(), "{policy} {field}: {json}");
        }
    }
    assert!(std::fs::read_to_string(at.join("page.html")).unwrap().contains("<svg"));
    assert!(text(&run(at, &["explain", "--log", "log.jsonl"])).contains("<- decides"));
    assert!(text(&run(at, &["compare", "--log", "log.jsonl", "--since", "2min"])).contains("gateway hours"));
    let decisions = text(&run(at, &["replay", "--log", "log.jsonl"]));
    assert_eq!(decisions.lines().count(), 150);
    let last: serde_json::Value = serde_json::from_str(decisions.lines().last().unwrap()).unwrap();
    assert!(last["decision"]["reason"]["need"]["limiting"].is_string());
}

#[test]
fn tune_writes_a_valid_policy() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("show.toml"), TRACE).unwrap();
    let args = ["tune", "--trace", "show.toml", "--seeds", "1", "--trials", "4", "--out", "best.toml"];
    let out = text(&run(at, &[&args[..], &["--html", "page.html"]].concat()));
    assert!(out.contains("before") && out.contains("after"));
    // The output lists the numbers that differ, not all sixty.
    assert!(out.lines().filter(|line| line.contains(" = ")).count() <= 12, "{out}");
    assert!(PolicyConfig::read(&at.join("best.toml")).is_ok());
    assert!(std::fs::read_to_string(at.join("page.html")).unwrap().contains("<circle"));
}

#[test]
fn tune_prints_progress_without_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("show.toml"), TRACE).unwrap();
    let output = run(folder.path(), &["tune", "--trace", "show.toml", "--seeds", "1", "--trials", "3"]);
    let progress = String::from_utf8(output.stderr).unwrap();
    assert!(progress.contains("tuning 1/3") && progress.contains("tuning 3/3"), "{progress}");
}

#[test]
fn unknown_trace_and_single_point_curve_are_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |trace: &str| {
        let output = run(folder.path(), &["simulate", "--trace", trace]);
        assert_eq!(output.status.code(), Some(64));
        String::from_utf8(output.stderr).unwrap()
    };
    let complaint = refused("nosuch");
    assert!(
        complaint.contains("nosuch") && complaint.contains("celebrity, hot_chat, diurnal"),
        "{complaint}"
    );
    std::fs::write(folder.path().join("one.csv"), "time,value\n0,5\n").unwrap();
    let complaint = refused("one.csv");
    assert!(complaint.contains("one.csv") && complaint.contains("two points"), "{complaint}");
}

#[test]
fn lower_bound_in_a_capacity_file_prints_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("show.toml"), TRACE).unwrap();
    let file = r#"{"knee": {"connections": 3000, "joins_per_s": 900}, "at_least": {"connections": true}}"#;
    std::fs::write(folder.path().join("capacity.json"), file).unwrap();
    let args = ["simulate", "--trace", "show.toml", "--seeds", "1", "--policy", "oracle"];
    let output = run(folder.path(), &[&args[..], &["--capacity", "capacity.json"]].concat());
    let warning = String::from_utf8(output.stderr).unwrap();
    assert!(warning.contains("knee.connections = 3000 is a lower bound"), "{warning}");
}

#[test]
fn invalid_policy_names_every_key_and_exits_with_64() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bad.toml"), "replicas_min = 0\n[panic]\nenter = 0.5\n").unwrap();
    let output = run(folder.path(), &["policy", "--config", "bad.toml"]);
    assert_eq!(output.status.code(), Some(64));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("replicas_min") && complaint.contains("panic.enter"), "{complaint}");
    assert!(text(&run(folder.path(), &["policy"])).contains("target_utilization = 0.9"));
}

#[test]
fn crd_prints_the_definition_and_controller_fails_without_a_cluster() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(
        text(&run(folder.path(), &["crd"])),
        include_str!("../../../../helm/barrage/crds/fleetautoscaler.yaml")
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_barrage-autoscaler"));
    command.args(["controller", "--listen", "127.0.0.1:0"]).env("HOME", folder.path());
    for variable in ["KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"] {
        command.env_remove(variable);
    }
    let output = command.output().unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && complaint.contains("no cluster is configured"), "{complaint}");
}

#[test]
fn guide_names_every_key_of_the_policy_with_its_default() {
    let manual = include_str!("../../../../docs/guide/autoscale.md");
    let policy = toml::to_string(&PolicyConfig::default()).unwrap();
    let mut part = String::new();
    for line in policy.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix('[') {
            Some(name) => part = format!("{}.", name.trim_end_matches(']')),
            None => {
                let (key, value) = line.split_once(" = ").unwrap();
                let row = format!("| `{part}{key}` | {} |", value.trim_matches('"').trim_end_matches(".0"));
                assert!(manual.contains(&row), "docs/guide/autoscale.md lacks {row}");
            }
        }
    }
}
