//! Checks of a values file of the Helm chart against the rules of the configuration.

use std::path::Path;

use barrage_bus::nats::{Finding, Level};
use serde_json::Value;

use super::finding::finding;
use super::quantity;
use crate::config::{self, Config};

/// Seconds that a process has after its drain, before the kubelet kills it.
const AFTER_DRAIN_SECS: u64 = 30;
/// The chart's default of `terminationGracePeriodSeconds`.
const GRACE_SECS: u64 = 180;

/// Reads the file and runs all checks.
pub(super) fn findings(path: &Path) -> Vec<Finding> {
    let shown = path.display();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => return vec![finding(Level::Bad, format!("values: {shown}: {error}"))],
    };
    let values: Value = match serde_saphyr::from_str(&text) {
        Ok(values) => values,
        Err(error) => return vec![finding(Level::Bad, format!("values: {shown}: {error}"))],
    };
    let mut found = check(&values);
    if found.is_empty() {
        found.push(finding(Level::Good, format!("values: {shown} fits the configuration's rules")));
    }
    found
}

/// Returns the mistakes and risks of values; keys that are absent have the chart's defaults.
fn check(values: &Value) -> Vec<Finding> {
    let (mut found, config) = configuration(values);
    let is_cluster = values["mode"] == "cluster";
    if is_cluster {
        found.extend(cluster(values));
        found.extend(replicas(values));
        found.extend(grace(values, "gateway", config.gateway.drain_secs_max));
        found.extend(capacity(values, &config));
    } else {
        found.extend(grace(values, "single", config.gateway.drain_secs_max));
        if values["single"]["replicas"].as_u64().is_some_and(|replicas| replicas > 1) {
            let text = "values: single.replicas: the message log is inside the process, so that several processes \
                        have different messages; set 1, or mode: cluster";
            found.push(finding(Level::Bad, text));
        }
    }
    found
}

/// Checks the table `config`, and returns the configuration that it makes.
fn configuration(values: &Value) -> (Vec<Finding>, Config) {
    let table = match &values["config"] {
        Value::Null => return (Vec::new(), Config::default()),
        table => table.clone(),
    };
    match serde_json::from_value::<Config>(table) {
        Ok(config) => {
            let problems = config::value_problems(&config);
            let found =
                problems.iter().map(|problem| finding(Level::Bad, format!("values: config.{problem}")));
            (found.collect(), config)
        }
        Err(error) => (vec![finding(Level::Bad, format!("values: config: {error}"))], Config::default()),
    }
}

/// Checks that a process has the time to drain before it is killed.
fn grace(values: &Value, role: &str, drain_secs: u64) -> Option<Finding> {
    let grace_secs = values[role]["terminationGracePeriodSeconds"].as_u64().unwrap_or(GRACE_SECS);
    let wanted = drain_secs + AFTER_DRAIN_SECS;
    let text = format!(
        "values: {role}.terminationGracePeriodSeconds: {grace_secs} s, but a drain takes up to {drain_secs} s \
         (config.gateway.drain_secs_max): set {wanted} or more, or the kubelet cuts off the last viewers"
    );
    (grace_secs < wanted).then(|| finding(Level::Bad, text))
}

/// Checks the servers and addresses that a cluster needs.
fn cluster(values: &Value) -> Vec<Finding> {
    let has = |table: &str, key: &str| match &values[table][key] {
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    let is_trial = |table: &str| values[table]["trial"]["enabled"] == true;
    let mut found = Vec::new();
    let mut need = |is_there: bool, text: &str| {
        found.extend((!is_there).then(|| finding(Level::Bad, format!("values: {text}"))));
    };
    let nats = has("nats", "urls") || has("nats", "existingSecret") || is_trial("nats");
    need(nats, "nats.urls: a cluster needs NATS; name its servers");
    let postgresql =
        has("postgresql", "url") || has("postgresql", "existingSecret") || is_trial("postgresql");
    need(postgresql, "postgresql.existingSecret: a cluster needs PostgreSQL; name the Secret with its URL");
    need(
        has("token", "existingSecret"),
        "token.existingSecret: all processes need the same keys; name their Secret",
    );
    need(has("uplink", "publicUrls"), "uplink.publicUrls: clients need a URL to post to");
    let address = values["gateway"]["address"]["mode"].as_str().is_some_and(|mode| !mode.is_empty());
    need(address, "gateway.address.mode: clients reach each gateway by an address of its own; choose how");
    for table in ["nats", "redis", "postgresql"] {
        if is_trial(table) {
            let text = format!(
                "values: {table}.trial: servers of the chart have no backup; use them to try it out alone"
            );
            found.push(finding(Level::Risk, text));
        }
    }
    if values["nats"]["replicas"].as_u64().is_some_and(|replicas| replicas < 3) {
        let text = "values: nats.replicas: with fewer than 3, a lost disk loses gifts that were accepted";
        found.push(finding(Level::Risk, text));
    }
    found
}

/// Checks the numbers of replicas.
fn replicas(values: &Value) -> Vec<Finding> {
    let mut found = Vec::new();
    let scales = values["autoscaling"]["engine"].as_str().is_some_and(|engine| engine != "none");
    if scales && values["gateway"]["replicas"].is_u64() {
        let text = "values: gateway.replicas: autoscaling.engine sets the number; set null here";
        found.push(finding(Level::Bad, text));
    }
    let tables =
        [("autoscaling", &values["autoscaling"]), ("uplink.autoscaling", &values["uplink"]["autoscaling"])];
    for (name, table) in tables {
        let (min, max) = (table["minReplicas"].as_u64(), table["maxReplicas"].as_u64());
        if let (Some(min), Some(max)) = (min, max)
            && min > max
        {
            let text = format!("values: {name}: minReplicas {min} is above maxReplicas {max}");
            found.push(finding(Level::Bad, text));
        }
    }
    if !scales && values["gateway"]["replicas"] == 1 {
        let text = "values: gateway.replicas: with one gateway, its restart disconnects every viewer";
        found.push(finding(Level::Risk, text));
    }
    found
}

/// Compares the capacity of a gateway with what the scheduler gives it.
fn capacity(values: &Value, config: &Config) -> Vec<Finding> {
    let (knee, gateway) = (&values["capacity"]["knee"], &values["gateway"]);
    let mut found = Vec::new();
    let mut short = |knee_key: &str, request: &str| {
        let Some(wanted) = knee[knee_key].as_f64() else { return };
        let given = &gateway["resources"]["requests"][request];
        let given = quantity::parse(given).or_else(|| given.is_null().then_some(0.0));
        match given {
            None => {
                let text = format!(
                    "values: gateway.resources.requests.{request}: not a quantity such as 500m or 1Gi"
                );
                found.push(finding(Level::Bad, text));
            }
            Some(given) if given < wanted => {
                let text = format!(
                    "values: gateway.resources.requests.{request}: {given}, but capacity.knee.{knee_key} counts on \
                     {wanted}: a full gateway may be slowed down or evicted"
                );
                found.push(finding(Level::Risk, text));
            }
            Some(_) => {}
        }
    };
    short("cpu_cores", "cpu");
    short("memory_bytes", "memory");
    if let Some(connections) = knee["connections"].as_f64()
        && connections > config.gateway.viewers_max as f64
    {
        let text = format!(
            "values: capacity.knee.connections: {connections}, but config.gateway.viewers_max admits {} viewers",
            config.gateway.viewers_max
        );
        found.push(finding(Level::Bad, text));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn texts(values: &Value) -> String {
        check(values).into_iter().map(|found| found.text).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn defaults_and_a_whole_cluster_are_good() {
        assert_eq!(texts(&json!({})), "");
        let cluster = json!({
            "mode": "cluster",
            "nats": { "urls": ["nats://nats:4222"] },
            "postgresql": { "existingSecret": "postgres" },
            "token": { "existingSecret": "keys" },
            "uplink": { "publicUrls": ["https://post.live.example"] },
            "gateway": { "address": { "mode": "hostPort" }, "resources": { "requests": { "cpu": 2, "memory": "4Gi" } } },
            "capacity": { "knee": { "connections": 10_000, "cpu_cores": 2.0, "memory_bytes": 2_000_000_000_u64 } },
        });
        assert_eq!(texts(&cluster), "");
    }

    #[test]
    fn drain_must_fit_into_the_grace_period() {
        let values = json!({ "single": { "terminationGracePeriodSeconds": 60 } });
        assert!(texts(&values).contains("single.terminationGracePeriodSeconds: 60 s"), "{}", texts(&values));
        let longer = json!({ "config": { "gateway": { "drain_secs_max": 400 } } });
        assert!(texts(&longer).contains("set 430 or more"), "{}", texts(&longer));
    }

    #[test]
    fn several_processes_with_an_embedded_log_and_two_masters_of_the_number_are_refused() {
        assert!(texts(&json!({ "single": { "replicas": 2 } })).contains("mode: cluster"));
        let both =
            json!({ "mode": "cluster", "autoscaling": { "engine": "ours" }, "gateway": { "replicas": 3 } });
        assert!(texts(&both).contains("gateway.replicas: autoscaling.engine"));
        let wrong = json!({ "mode": "cluster", "autoscaling": { "minReplicas": 5, "maxReplicas": 2 } });
        assert!(texts(&wrong).contains("minReplicas 5 is above maxReplicas 2"));
    }

    #[test]
    fn requests_cover_the_capacity_and_the_configuration_is_checked() {
        let values = json!({
            "mode": "cluster",
            "config": { "gateway": { "viewers_max": 5_000 } },
            "gateway": { "resources": { "requests": { "cpu": "500m", "memory": "x" } } },
            "capacity": { "knee": { "connections": 20_000, "cpu_cores": 1.5, "memory_bytes": 1 } },
        });
        let texts_of = texts(&values);
        for part in ["requests.cpu: 0.5", "requests.memory: not a quantity", "viewers_max admits 5000"] {
            assert!(texts_of.contains(part), "{part:?} in {texts_of}");
        }
        assert!(texts(&json!({ "config": { "gatewy": {} } })).contains("gatewy"));
        let range = texts(&json!({ "config": { "gateway": { "window_ms": 0 } } }));
        assert!(range.contains("config.gateway.window_ms"), "{range}");
    }
}
