//! One pass over all fleets of a namespace.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v1::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use kube::core::Selector;
use kube::{Client, ResourceExt};

use super::act::Deeds;
use super::error::ControllerError;
use super::fleet::{Fleet, Pass, Role};
use super::hands::Hands;
use super::http::HttpClient;
use super::journal::Journal;
use super::lease::Fence;
use super::loads::{Loads, source};
use super::metrics::ControllerMetrics;
use super::note::Note;
use super::orders::{AdminOrders, Orders};
use super::outcome::Outcome;
use super::resource::{FleetAutoscaler, LoadsSpec};
use super::rivals::rival;
use super::settings::Settings;

/// How a source of loads is reached.
pub type Connect = Box<dyn Fn(&LoadsSpec) -> Arc<dyn Loads> + Send + Sync>;

/// Looks after every `FleetAutoscaler` of a namespace. It keeps no copy of the cluster:
/// each pass reads what it decides on.
pub struct Controller {
    client: Client,
    namespace: String,
    interval: Duration,
    fence: Fence,
    hands: Hands,
    connect: Connect,
    metrics: ControllerMetrics,
    journal: Option<Journal>,
    fleets: BTreeMap<String, Fleet>,
}

impl Controller {
    /// A controller that speaks to gateways and to load sources by HTTP; the token is for
    /// Barrage's admin listeners.
    #[must_use]
    pub fn new(
        client: Client,
        namespace: &str,
        interval: Duration,
        fence: Fence,
        metrics: ControllerMetrics,
        token_file: Option<&Path>,
    ) -> Controller {
        let http = HttpClient::default();
        let admin = token_file.map_or_else(|| http.clone(), |file| http.with_token(file));
        let orders = Arc::new(AdminOrders(admin.clone()));
        let connect = Box::new(move |spec: &LoadsSpec| source(spec, &http, &admin));
        Controller::with(client, namespace, interval, fence, metrics, connect, orders)
    }

    /// The same with other ways to load reports and gateways.
    #[must_use]
    pub fn with(
        client: Client,
        namespace: &str,
        interval: Duration,
        fence: Fence,
        metrics: ControllerMetrics,
        connect: Connect,
        orders: Arc<dyn Orders>,
    ) -> Controller {
        let hands = Hands::new(client.clone(), namespace, fence.clone(), orders);
        let (namespace, fleets) = (namespace.into(), BTreeMap::new());
        Controller { client, namespace, interval, fence, hands, connect, metrics, journal: None, fleets }
    }

    /// Keeps what is seen in a folder, for `explain` and `compare`.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn record(&mut self, folder: &Path) -> std::io::Result<()> {
        self.journal = Some(Journal::new(folder)?);
        Ok(())
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Looks after every fleet once. `now` is the wall clock's time. What fails is
    /// logged and counted, and tried again at the next pass.
    pub async fn pass(&mut self, now: Duration) {
        let timer = self.metrics.pass_seconds.start_timer();
        self.metrics.leader.set(self.fence.is_leader().into());
        match self.read().await {
            Ok((objects, hpas)) => {
                let gone = |name: &String| !objects.iter().any(|object| object.name_any() == *name);
                self.fleets.keys().filter(|name| gone(name)).for_each(|name| self.metrics.forget(name));
                self.fleets.retain(|name, _| !gone(name));
                for object in &objects {
                    let name = object.name_any();
                    // Out of the map meanwhile: a pass borrows the rest of the controller.
                    let mut fleet = self.fleets.remove(&name).unwrap_or_default();
                    let rival = rival(object, &objects, &hpas);
                    if let Err(error) = self.look_after(&mut fleet, object, rival, now).await {
                        tracing::warn!(fleet = name, %error, "a pass ended early");
                        self.metrics.failed(&name, error.label());
                    }
                    self.fleets.insert(name, fleet);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the fleets could not be read");
                self.metrics.failed("", error.label());
            }
        }
        timer.observe_duration();
    }

    async fn read(&self) -> Result<(Vec<FleetAutoscaler>, Vec<HorizontalPodAutoscaler>), ControllerError> {
        let all = ListParams::default();
        let objects = self.api::<FleetAutoscaler>().list(&all).await?.items;
        let hpas = self.api::<HorizontalPodAutoscaler>().list(&all).await?.items;
        Ok((objects, hpas))
    }

    async fn look_after(
        &self,
        fleet: &mut Fleet,
        object: &FleetAutoscaler,
        rival: Option<String>,
        now: Duration,
    ) -> Result<(), ControllerError> {
        let name = object.name_any();
        let role = if self.fence.is_leader() { Role::Leader } else { Role::Standby };
        let mut deeds = Deeds::default();
        let outcome = self.steer(fleet, object, rival, role, now, &mut deeds).await;
        self.metrics.did(&name, &deeds);
        if let Ok(Outcome::Decided(decided)) = &outcome {
            self.metrics.decided(&name, decided.seen.replicas, &decided.decision);
            if let Some(error) = &decided.act_error {
                self.metrics.failed(&name, error.label());
            }
            if let Some(journal) = &self.journal {
                journal.note(&name, &decided.seen);
            }
        }
        if role == Role::Standby {
            return outcome.map(drop);
        }
        for note in &deeds.notes {
            self.hands.tell(object, note).await;
        }
        let (outcome, failed) = match outcome {
            Err(ControllerError::Fenced) => return Err(ControllerError::Fenced),
            Err(error) => (Outcome::Failing(error.to_string()), Err(error)),
            Ok(outcome) => (outcome, Ok(())),
        };
        failed.and(fleet.publish(&self.hands, object, &outcome, &deeds, now).await)
    }

    async fn steer(
        &self,
        fleet: &mut Fleet,
        object: &FleetAutoscaler,
        rival: Option<String>,
        role: Role,
        now: Duration,
        deeds: &mut Deeds,
    ) -> Result<Outcome, ControllerError> {
        let settings = match Settings::of(&object.spec, self.interval) {
            Ok(settings) => settings,
            Err(text) => return Ok(refuse(fleet, Outcome::InvalidSpec(text), deeds)),
        };
        let target = &object.spec.target.name;
        let Some(deployment) = self.api::<Deployment>().get_opt(target).await? else {
            let text = format!("There is no Deployment {target}.");
            return Ok(refuse(fleet, Outcome::TargetMissing(text), deeds));
        };
        let selector = deployment.spec.as_ref().map(|spec| spec.selector.clone()).unwrap_or_default();
        let theirs = ListParams::default().labels_from(&Selector::try_from(selector)?);
        let pods = self.api::<Pod>().list(&theirs).await?.items;
        let loads = (self.connect)(&object.spec.loads);
        let pass =
            Pass { object, settings: &settings, deployment: &deployment, pods: &pods, rival, role, now };
        fleet.pass(&self.hands, &*loads, pass, deeds).await
    }
}

/// Nothing can be done; told once, and everything that was remembered is forgotten.
fn refuse(fleet: &mut Fleet, outcome: Outcome, deeds: &mut Deeds) -> Outcome {
    let (reason, text) = match &outcome {
        Outcome::InvalidSpec(text) => ("InvalidSpec", text),
        Outcome::TargetMissing(text) => ("TargetMissing", text),
        Outcome::Failing(_) | Outcome::Decided(_) => return outcome,
    };
    if fleet.refuse(text) {
        deeds.notes.push(Note::warning(reason, text.clone()));
    }
    outcome
}
