//! The Helm chart against the controller: its flags, its role, its FleetAutoscaler.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use barrage_autoscaler::resource::FleetAutoscaler;
use serde_json::Value;

/// Names of a value set's controller and gateways, where the guide has its own.
const NAMES: [(&str, &str); 2] =
    [("live-barrage-gateway", "gateway"), ("live-barrage-autoscaler", "barrage-autoscaler")];

/// Returns what each value set of helm/barrage/ci starts, as the Helm engine renders it.
fn value_sets() -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new("python3")
        .arg(root.join("helm/check/processes.py"))
        .env("PYTHONPATH", root.join("target/tools/helm"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Returns the rules of the role in the guide.
fn rules_of_the_guide() -> Value {
    let guide = include_str!("../../../../docs/guide/autoscale.md");
    let text = guide.split("```").find(|block| block.contains("kind: Role")).unwrap();
    let role: Value = serde_saphyr::from_str(text.strip_prefix("yaml").unwrap()).unwrap();
    role["rules"].clone()
}

#[test]
fn chart_starts_the_controller_with_known_flags_the_guides_role_and_a_readable_resource() {
    let mut controllers = 0;
    for set in value_sets() {
        let context = &set["set"];
        for process in set["processes"].as_array().unwrap() {
            let words: Vec<String> = serde_json::from_value(process["command"].clone()).unwrap();
            if words[0] != "/usr/local/bin/barrage-autoscaler" {
                continue;
            }
            let mut command = Command::new(env!("CARGO_BIN_EXE_barrage-autoscaler"));
            let output = command.args(&words[1..]).arg("--help").output().unwrap();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{context}: {words:?}: {errors}");
            controllers += 1;
        }
        for role in set["roles"].as_array().unwrap() {
            let mut text = role["rules"].to_string();
            for (name, in_guide) in NAMES {
                text = text.replace(name, in_guide);
            }
            let rules: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(rules, rules_of_the_guide(), "{context}");
        }
        for fleet in set["fleets"].as_array().unwrap() {
            let read = serde_json::from_value::<FleetAutoscaler>(fleet.clone());
            let spec = read.unwrap_or_else(|error| panic!("{context}: {error}")).spec;
            assert_eq!(spec.problem(Duration::from_secs(1)), None, "{context}");
        }
    }
    assert!(controllers >= 2, "{controllers} value sets have a controller");
}
