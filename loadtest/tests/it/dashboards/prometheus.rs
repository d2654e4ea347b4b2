//! A real Prometheus that scrapes each second and evaluates the rules.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use barrage_testkit::process::{Process, Recipe, free_address};
use barrage_testkit::wait;
use serde_json::Value;

use super::checks::Check;

/// A Prometheus on a free port of loopback. Killed on drop.
pub(crate) struct Prometheus {
    _process: Process,
    url: String,
    http: reqwest::Client,
}

impl Prometheus {
    /// Starts a server that scrapes these admin listeners, and waits until it is ready.
    pub(crate) async fn start(targets: impl Iterator<Item = SocketAddr>) -> Prometheus {
        let (folder, address) = (tempfile::tempdir().unwrap(), free_address());
        std::fs::write(folder.path().join("prometheus.yml"), config(targets)).unwrap();
        let listen = format!("--web.listen-address={address}");
        let words = ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", &listen];
        let recipe = Recipe {
            name: "prometheus".into(),
            command: words.map(str::to_owned).to_vec(),
            environment: Vec::new(),
            folder: folder.path().to_owned(),
            address,
        };
        let prometheus = Prometheus {
            _process: Process::spawn(recipe, Some(folder)),
            url: format!("http://{address}"),
            http: reqwest::Client::new(),
        };
        wait::until_true(Duration::from_secs(30), "a Prometheus that is ready", async || {
            let answer = prometheus.http.get(format!("{}/-/ready", prometheus.url)).send().await;
            answer.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
        prometheus
    }

    /// Returns whether a query has a value now. Panics when Prometheus refuses the query.
    pub(crate) async fn has_data(&self, check: &Check) -> bool {
        let answer = self.api("query", &[("query", &check.query)]).await;
        assert_eq!(answer["status"], "success", "{}: {}: {answer}", check.place, check.query);
        let series = answer["data"]["result"].as_array().unwrap();
        check.may_be_empty || series.iter().any(|series| series["value"][1] != "NaN")
    }

    /// Returns the rules that could not be evaluated, with the error.
    pub(crate) async fn unwell_rules(&self) -> Vec<String> {
        let answer = self.api("rules", &[]).await;
        let groups = answer["data"]["groups"].as_array().unwrap().iter();
        let rules: Vec<_> = groups.flat_map(|group| group["rules"].as_array().unwrap()).collect();
        assert!(rules.len() > 80, "{} rules", rules.len());
        let unwell = rules.into_iter().filter(|rule| rule["health"] != "ok");
        unwell.map(|rule| format!("{}: {}", rule["name"], rule["lastError"])).collect()
    }

    /// Returns the names of the alerts that fire.
    pub(crate) async fn firing(&self) -> Vec<String> {
        let answer = self.api("alerts", &[]).await;
        let alerts = answer["data"]["alerts"].as_array().unwrap().iter();
        let firing = alerts.filter(|alert| alert["state"] == "firing");
        firing.map(|alert| alert["labels"]["alertname"].as_str().unwrap().to_owned()).collect()
    }

    async fn api(&self, call: &str, query: &[(&str, &str)]) -> Value {
        let request = self.http.get(format!("{}/api/v1/{call}", self.url)).query(query);
        request.send().await.unwrap().json().await.unwrap()
    }
}

fn config(targets: impl Iterator<Item = SocketAddr>) -> String {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dashboards/rules/barrage.yaml");
    let targets: Vec<_> = targets.map(|target| format!("'{target}'")).collect();
    format!(
        "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\n\
         rule_files: ['{}']\n\
         scrape_configs:\n  \
         - job_name: barrage\n    \
         static_configs:\n      \
         - targets: [{}]\n        \
         labels: {{ cluster: test, namespace: barrage }}\n",
        rules.canonicalize().unwrap().display(),
        targets.join(", ")
    )
}
