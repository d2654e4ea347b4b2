//! Load reports from Prometheus. They are as old as its scrapes.

use std::collections::BTreeMap;

use async_trait::async_trait;
use barrage_scaling::{Axis, EntryLoad, FleetInstance, FleetReport, FleetRole, LoadReport};
use serde::Deserialize;

use crate::error::LoadsError;
use crate::http::HttpClient;
use crate::loads::LoadSource;
use crate::resource::PrometheusSpec;

/// Sends one instant query for each axis.
pub(crate) struct PrometheusSource {
    spec: PrometheusSpec,
    http: HttpClient,
}

#[derive(Debug, Deserialize)]
struct QueryResponse {
    #[serde(default)]
    data: Data,
    #[serde(default)]
    error: String,
    status: String,
}

#[derive(Debug, Default, Deserialize)]
struct Data {
    #[serde(default)]
    result: Vec<Sample>,
}

#[derive(Debug, Deserialize)]
struct Sample {
    metric: BTreeMap<String, String>,
    /// Time of the sample in seconds, and its value as text.
    value: (f64, String),
}

impl Sample {
    fn number(&self) -> f64 {
        // NaN makes the whole report unusable: the core's sanity check rejects it.
        self.value.1.parse().unwrap_or(f64::NAN)
    }
}

impl PrometheusSource {
    pub(crate) fn new(spec: PrometheusSpec, http: HttpClient) -> PrometheusSource {
        PrometheusSource { spec, http }
    }

    async fn query(&self, query: &str) -> Result<Vec<Sample>, LoadsError> {
        let url = format!("{}/api/v1/query?query={}", self.spec.url.trim_end_matches('/'), escape(query));
        let answer: QueryResponse = serde_json::from_slice(&self.http.get(&url).await?)?;
        if answer.status == "success" {
            Ok(answer.data.result)
        } else {
            Err(LoadsError::Query { query: query.into(), reason: answer.error })
        }
    }

    async fn by_pod(&self, query: Option<&str>) -> Result<BTreeMap<String, f64>, LoadsError> {
        let Some(query) = query else { return Ok(BTreeMap::new()) };
        let samples = self.query(query).await?;
        Ok(samples.into_iter().filter_map(|s| Some((s.metric.get("pod")?.clone(), s.number()))).collect())
    }

    async fn single(&self, query: Option<&str>) -> Result<f64, LoadsError> {
        let Some(query) = query else { return Ok(0.0) };
        // An empty result is a missing counter, which differs from a count of 0.
        Ok(self.query(query).await?.first().map_or(f64::NAN, Sample::number))
    }
}

#[async_trait]
impl LoadSource for PrometheusSource {
    async fn read(&self) -> Result<FleetReport, LoadsError> {
        let ages = self.by_pod(Some(&self.spec.age)).await?;
        let draining = self.by_pod(self.spec.draining.as_deref()).await?;
        let mut axes = BTreeMap::new();
        for axis in Axis::ALL {
            axes.insert(axis.label(), self.by_pod(self.spec.query(axis)).await?);
        }
        let on = |axis: Axis, pod: &String| axes[axis.label()].get(pod).copied().unwrap_or(0.0);
        let instance = |(pod, connections): (&String, &f64)| FleetInstance {
            role: FleetRole::Gateway,
            id: pod.as_str().into(),
            draining: draining.get(pod).is_some_and(|on| *on > 0.0),
            load: LoadReport {
                connections: *connections,
                joins_per_s: on(Axis::Joins, pod),
                deliveries_per_s: on(Axis::Deliveries, pod),
                egress_bytes_per_s: on(Axis::Egress, pod),
                writes_per_s: on(Axis::Packets, pod),
                cpu_cores: on(Axis::Cpu, pod),
                memory_bytes: on(Axis::Memory, pod),
                ..LoadReport::default()
            },
            report_age_ms: 1_000.0 * ages.get(pod).copied().unwrap_or(f64::INFINITY),
        };
        let entry = EntryLoad {
            waiting: self.single(self.spec.waiting.as_deref()).await?,
            granted_per_s: self.single(self.spec.granted.as_deref()).await?,
        };
        let instances = axes[Axis::Connections.label()].iter().map(instance).collect();
        Ok(FleetReport { instances, entry: Some(entry), ..FleetReport::default() })
    }
}

/// Percent-encodes everything but letters, digits and `-._~`.
fn escape(query: &str) -> String {
    query.bytes().fold(String::with_capacity(query.len() * 2), |mut text, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(byte.into()),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
        text
    })
}
