//! A small API server in memory: objects, versions, merge patches, subresources, label selectors,
//! and the part of the controller manager that creates and deletes pods.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use k8s_openapi::jiff::Timestamp;
use kube::client::Body;
use parking_lot::{Mutex, MutexGuard};
use serde_json::{Value, json};
use tower_service::Service;

pub const NAMESPACE: &str = "live";
const COST: &str = "controller.kubernetes.io/pod-deletion-cost";

#[derive(Default)]
pub struct State {
    /// Objects of the server, by `plural/name`.
    objects: BTreeMap<String, Value>,
    version: u64,
    names: u64,
    /// Every write: method and path within the namespace.
    pub writes: Vec<String>,
    /// The server answers no request.
    pub down: bool,
    /// Resource that the server forbids to read.
    pub forbidden: Option<&'static str>,
    /// Number of times that another client changes the Deployment just before its scale is patched.
    pub conflicts: u32,
    /// Pods are deleted regardless of their deletion costs.
    pub careless: bool,
    /// No pod is created or deleted.
    pub stopped: bool,
}

#[derive(Clone, Default)]
pub struct FakeApi(Arc<Mutex<State>>);

pub fn time(at: Duration) -> String {
    Timestamp::from_second(i64::try_from(at.as_secs()).unwrap()).unwrap().to_string()
}

fn failure(code: u16, reason: &str) -> (u16, Value) {
    let status = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
        "reason": reason, "message": reason });
    (code, status)
}

/// Applies a merge patch (RFC 7386).
fn merge(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut target[key], value);
        }
    }
}

impl FakeApi {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }

    /// Returns the writes since the last call, except those of the lease, status and events.
    pub fn fleet_writes(&self) -> Vec<String> {
        let writes = std::mem::take(&mut self.state().writes);
        let own = |write: &String| {
            ["leases/", "leases", "fleetautoscalers/", "events"].iter().any(|part| write.contains(part))
        };
        writes.into_iter().filter(|write| !own(write)).collect()
    }
}

impl State {
    pub fn put(&mut self, plural: &str, mut object: Value) {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        object["metadata"]["namespace"] = NAMESPACE.into();
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = format!("uid-{plural}-{name}").into();
        }
        self.objects.insert(format!("{plural}/{name}"), object);
    }

    pub fn get(&self, plural: &str, name: &str) -> Option<&Value> {
        self.objects.get(&format!("{plural}/{name}"))
    }

    pub fn remove(&mut self, plural: &str, name: &str) -> Option<Value> {
        self.objects.remove(&format!("{plural}/{name}"))
    }

    pub fn list(&self, plural: &str) -> Vec<&Value> {
        let prefix = format!("{plural}/");
        self.objects.iter().filter(|(key, _)| key.starts_with(&prefix)).map(|(_, object)| object).collect()
    }

    pub fn edit(&mut self, plural: &str, name: &str, patch: &Value) {
        let mut object = self.get(plural, name).unwrap().clone();
        merge(&mut object, patch);
        self.put(plural, object);
    }

    fn answer(&mut self, method: &Method, path: &str, query: &str, body: &Value) -> (u16, Value) {
        let (_, rest) = path.split_once(&format!("/namespaces/{NAMESPACE}/")).expect("another namespace");
        let parts: Vec<&str> = rest.split('/').collect();
        let (plural, name, part) = match parts[..] {
            [plural] => (plural, None, None),
            [plural, name] => (plural, Some(name), None),
            [plural, name, part] => (plural, Some(name), Some(part)),
            _ => panic!("{path}"),
        };
        if self.forbidden == Some(plural) {
            return failure(403, "Forbidden");
        }
        if method != Method::GET {
            self.writes.push(format!("{method} {rest}"));
        }
        match (method, name) {
            (&Method::GET, None) => (200, self.answer_list(plural, query)),
            (&Method::POST, None) => self.create(plural, body.clone()),
            (_, Some(name)) => self.answer_one(method, plural, name, part, body),
            _ => panic!("{method} {path}"),
        }
    }

    fn answer_list(&self, plural: &str, query: &str) -> Value {
        let selector = query.split('&').find_map(|pair| pair.strip_prefix("labelSelector="));
        let pairs = selector.map(|text| text.replace("%3D", "=").replace("%2C", ",")).unwrap_or_default();
        let wanted: Vec<(&str, &str)> = pairs.split(',').filter_map(|pair| pair.split_once('=')).collect();
        let fits = |object: &&Value| wanted.iter().all(|(k, v)| object["metadata"]["labels"][*k] == *v);
        let items: Vec<&Value> = self.list(plural).into_iter().filter(fits).collect();
        json!({ "kind": "List", "apiVersion": "v1", "metadata": {}, "items": items })
    }

    fn create(&mut self, plural: &str, mut object: Value) -> (u16, Value) {
        if object["metadata"]["name"].is_null() {
            self.names += 1;
            // A prefix must be a valid name itself, except for a final hyphen.
            let prefix = object["metadata"]["generateName"].as_str().unwrap().to_owned();
            if prefix.trim_end_matches('-').ends_with(|last: char| !last.is_ascii_alphanumeric()) {
                return failure(422, "Invalid");
            }
            object["metadata"]["name"] = format!("{prefix}{}", self.names).into();
        }
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        if self.get(plural, &name).is_some() {
            return failure(409, "AlreadyExists");
        }
        self.put(plural, object);
        (201, self.get(plural, &name).unwrap().clone())
    }

    fn answer_one(
        &mut self,
        method: &Method,
        plural: &str,
        name: &str,
        part: Option<&str>,
        body: &Value,
    ) -> (u16, Value) {
        if part == Some("scale") && self.conflicts > 0 {
            self.conflicts -= 1;
            self.edit(plural, name, &json!({ "metadata": { "annotations": { "by": "another" } } }));
        }
        let Some(old) = self.get(plural, name).cloned() else { return failure(404, "NotFound") };
        if method == Method::GET {
            return (200, old);
        }
        let version = &body["metadata"]["resourceVersion"];
        if !version.is_null() && *version != old["metadata"]["resourceVersion"] {
            return failure(409, "Conflict");
        }
        let mut new = if method == Method::PUT { body.clone() } else { old.clone() };
        match part {
            _ if method == Method::PUT => {}
            None => merge(&mut new, body),
            Some("status") => merge(&mut new["status"], &body["status"]),
            Some("scale") => {
                new["spec"]["replicas"] = body["spec"]["replicas"].clone();
                new["metadata"]["generation"] = (new["metadata"]["generation"].as_i64().unwrap() + 1).into();
            }
            Some(other) => panic!("{other}"),
        }
        self.put(plural, new);
        let new = self.get(plural, name).unwrap().clone();
        let scale = json!({ "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": new["metadata"],
            "spec": { "replicas": new["spec"]["replicas"] } });
        (200, if part == Some("scale") { scale } else { new })
    }

    /// Does the work of the controller manager and the kubelets: deleted pods end, missing ones are
    /// created, a pod is ready after `ready_secs`, and surplus ones are deleted in Kubernetes'
    /// order.
    pub fn settle(&mut self, now: Duration, ready_secs: u64) {
        if self.stopped {
            return;
        }
        self.objects
            .retain(|key, pod| !key.starts_with("pods/") || pod["metadata"]["deletionTimestamp"].is_null());
        let Some(deployment) = self.get("deployments", "gateway").cloned() else { return };
        for pod in self.list("pods").into_iter().cloned().collect::<Vec<_>>() {
            let born: Timestamp = pod["metadata"]["creationTimestamp"].as_str().unwrap().parse().unwrap();
            let old = now.as_secs().cast_signed() - born.as_second() >= ready_secs.cast_signed();
            if old && pod["status"]["conditions"].is_null() {
                self.set_ready(pod["metadata"]["name"].as_str().unwrap(), true);
            }
        }
        let asked = usize::try_from(deployment["spec"]["replicas"].as_u64().unwrap()).unwrap();
        let many = self.list("pods").len();
        for _ in many..asked {
            self.make_pod(now);
        }
        let mut order: Vec<(bool, i64, String)> = self.list("pods").into_iter().map(rank).collect();
        order
            .sort_by_key(|(ready, cost, name)| (*ready, if self.careless { 0 } else { *cost }, name.clone()));
        for (_, _, name) in order.into_iter().take(many.saturating_sub(asked)) {
            self.edit("pods", &name, &json!({ "metadata": { "deletionTimestamp": time(now) } }));
        }
        let status = json!({ "replicas": asked, "updatedReplicas": asked,
            "observedGeneration": deployment["metadata"]["generation"] });
        self.edit("deployments", "gateway", &json!({ "status": status }));
    }

    pub fn make_pod(&mut self, now: Duration) {
        self.names += 1;
        let name = format!("gateway-{:04}", self.names);
        self.put(
            "pods",
            json!({ "metadata": { "name": name, "labels": { "app": "gateway" }, "creationTimestamp": time(now) },
                "spec": { "containers": [] },
                "status": { "phase": "Running", "podIP": format!("10.0.0.{}", self.names) } }),
        );
    }

    pub fn set_ready(&mut self, name: &str, ready: bool) {
        let status = if ready { "True" } else { "False" };
        let patch = json!({ "status": { "conditions": [{ "type": "Ready", "status": status }] } });
        self.edit("pods", name, &patch);
    }
}

fn rank(pod: &Value) -> (bool, i64, String) {
    let conditions = pod["status"]["conditions"].as_array();
    let ready = conditions.is_some_and(|all| all.iter().any(|one| one["status"] == "True"));
    let cost = pod["metadata"]["annotations"][COST].as_str().map_or(0, |cost| cost.parse().unwrap());
    (ready, cost, pod["metadata"]["name"].as_str().unwrap().to_owned())
}

impl Service<Request<Body>> for FakeApi {
    type Response = Response<Full<Bytes>>;
    type Error = std::io::Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let api = self.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
            let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
            let mut state = api.state();
            if state.down {
                return Err(std::io::Error::other("the server is down"));
            }
            let query = head.uri.query().unwrap_or("").to_owned();
            let (code, answer) = state.answer(&head.method, head.uri.path(), &query, &body);
            let response = Response::builder().status(code).header("content-type", "application/json");
            Ok(response.body(Full::new(Bytes::from(answer.to_string()))).unwrap())
        })
    }
}
