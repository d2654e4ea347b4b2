//! One pass over all fleets of a namespace.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use barrage_tls::{CaFileError, ClientTls};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v1::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use kube::core::Selector;
use kube::{Client, ResourceExt};

use tracing::Instrument as _;

use super::fleet::{Fleet, Pass, Role};
use super::journal::Journal;
use super::status::Outcome;
use crate::actuate::{Actuator, AdminCommands, Applied, FleetEvent, HttpAdminCommands};
use crate::error::ControllerError;
use crate::http::{HttpClient, HttpSettings};
use crate::lease::Fence;
use crate::loads::{LoadSource, source};
use crate::metrics::ControllerMetrics;
use crate::resource::{FleetAutoscaler, LoadsSpec, Settings, rival};

/// Builds the source of load reports that a spec selects.
pub type Connect = Box<dyn Fn(&LoadsSpec) -> Arc<dyn LoadSource> + Send + Sync>;

/// Reconciles every `FleetAutoscaler` of a namespace. The controller keeps no copy of the
/// cluster: each pass reads the objects that it decides on.
pub struct Controller {
    client: Client,
    namespace: String,
    interval: Duration,
    fence: Fence,
    actuator: Actuator,
    connect: Connect,
    metrics: ControllerMetrics,
    journal: Option<Journal>,
    /// Passes since the start of the process.
    passes: u64,
    fleets: BTreeMap<String, Fleet>,
}

impl Controller {
    /// A controller that reaches gateways and load sources over HTTP. The token is sent to
    /// Barrage's admin listeners alone.
    ///
    /// # Errors
    /// When the file with authorities cannot be used.
    pub fn new(
        client: Client,
        namespace: &str,
        interval: Duration,
        fence: Fence,
        metrics: ControllerMetrics,
        settings: &HttpSettings,
    ) -> Result<Controller, CaFileError> {
        let tls = ClientTls::load(settings.ca_file.as_deref())?;
        let with_token = |http: &HttpClient| match &settings.token_file {
            Some(file) => http.with_token(file),
            None => http.clone(),
        };
        let http = HttpClient::new(&tls);
        let admin = with_token(&http);
        let mut commands = HttpAdminCommands::new(admin.clone());
        if let Some(name) = &settings.gateway_tls_name {
            commands = commands.with_tls_gateways(with_token(&HttpClient::of_name(&tls, name.clone())));
        }
        let connect = Box::new(move |spec: &LoadsSpec| source(spec, &http, &admin));
        Ok(Controller::with(client, namespace, interval, fence, metrics, connect, Arc::new(commands)))
    }

    /// A controller with another source of load reports and other commands, for tests.
    #[must_use]
    pub fn with(
        client: Client,
        namespace: &str,
        interval: Duration,
        fence: Fence,
        metrics: ControllerMetrics,
        connect: Connect,
        commands: Arc<dyn AdminCommands>,
    ) -> Controller {
        let actuator = Actuator::new(client.clone(), namespace, fence.clone(), commands);
        Controller {
            client,
            namespace: namespace.into(),
            interval,
            fence,
            actuator,
            connect,
            metrics,
            journal: None,
            passes: 0,
            fleets: BTreeMap::new(),
        }
    }

    /// Appends every observation to a log in `folder`, for `explain` and `compare`.
    ///
    /// # Errors
    /// When the folder cannot be created.
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

    /// Reconciles every fleet once. `now` is the time since the Unix epoch. A failure is logged
    /// and counted, and the next pass tries again.
    pub async fn pass(&mut self, now: Duration) {
        self.passes += 1;
        let span = tracing::info_span!("pass", number = self.passes);
        self.pass_all(now).instrument(span).await;
    }

    async fn pass_all(&mut self, now: Duration) {
        let timer = self.metrics.pass_seconds.start_timer();
        self.metrics.leader.set(self.fence.is_leader().into());
        match self.read().await {
            Ok((objects, hpas)) => {
                let gone = |name: &String| !objects.iter().any(|object| object.name_any() == *name);
                self.fleets.keys().filter(|name| gone(name)).for_each(|name| self.metrics.forget(name));
                self.fleets.retain(|name, _| !gone(name));
                for object in &objects {
                    let name = object.name_any();
                    // Taken out of the map, because reconciling borrows the rest of the controller.
                    let mut fleet = self.fleets.remove(&name).unwrap_or_default();
                    let rival = rival(object, &objects, &hpas);
                    let span = tracing::info_span!("reconcile", fleet = name);
                    if let Err(error) = self.reconcile(&mut fleet, object, rival, now).instrument(span).await
                    {
                        tracing::warn!(fleet = name, %error, "pass over a fleet ended early");
                        self.metrics.failed(&name, error.label());
                    }
                    self.fleets.insert(name, fleet);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "fleets could not be read");
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

    async fn reconcile(
        &self,
        fleet: &mut Fleet,
        object: &FleetAutoscaler,
        rival: Option<String>,
        now: Duration,
    ) -> Result<(), ControllerError> {
        let name = object.name_any();
        let role = if self.fence.is_leader() { Role::Leader } else { Role::Standby };
        let mut applied = Applied::default();
        let outcome = self.decide(fleet, object, rival, role, now, &mut applied).await;
        self.metrics.applied(&name, &applied);
        if let Ok(Outcome::Decided(decided)) = &outcome {
            let forecast_error = fleet.forecasts.take(&decided.decision.reason, now);
            self.metrics.decided(&name, decided.observation.replicas, &decided.decision, forecast_error);
            if let Some(error) = &decided.act_error {
                self.metrics.failed(&name, error.label());
            }
            if let Some(journal) = &self.journal {
                journal.append(&name, &decided.observation);
            }
        }
        if role == Role::Standby {
            return outcome.map(drop);
        }
        for event in &applied.events {
            self.actuator.record(object, event).await;
        }
        let (outcome, failed) = match outcome {
            Err(ControllerError::Fenced) => return Err(ControllerError::Fenced),
            Err(error) => (Outcome::Failing(error.to_string()), Err(error)),
            Ok(outcome) => (outcome, Ok(())),
        };
        failed.and(fleet.publish(&self.actuator, object, &outcome, &applied, now).await)
    }

    async fn decide(
        &self,
        fleet: &mut Fleet,
        object: &FleetAutoscaler,
        rival: Option<String>,
        role: Role,
        now: Duration,
        applied: &mut Applied,
    ) -> Result<Outcome, ControllerError> {
        let settings = match Settings::new(&object.spec, self.interval) {
            Ok(settings) => settings,
            Err(text) => return Ok(refuse(fleet, Outcome::InvalidSpec(text), applied)),
        };
        let target = &object.spec.target.name;
        let Some(deployment) = self.api::<Deployment>().get_opt(target).await? else {
            let text = format!("There is no Deployment {target}.");
            return Ok(refuse(fleet, Outcome::TargetMissing(text), applied));
        };
        let selector = deployment.spec.as_ref().map(|spec| spec.selector.clone()).unwrap_or_default();
        let selected = ListParams::default().labels_from(&Selector::try_from(selector)?);
        let pods = self.api::<Pod>().list(&selected).await?.items;
        let loads = (self.connect)(&object.spec.loads);
        let pass =
            Pass { object, settings: &settings, deployment: &deployment, pods: &pods, rival, role, now };
        fleet.pass(&self.actuator, &*loads, pass, applied).await
    }
}

/// Drops the state of a fleet that cannot be scaled. A new reason becomes an event.
fn refuse(fleet: &mut Fleet, outcome: Outcome, applied: &mut Applied) -> Outcome {
    let (reason, text) = match &outcome {
        Outcome::InvalidSpec(text) => ("InvalidSpec", text),
        Outcome::TargetMissing(text) => ("TargetMissing", text),
        Outcome::Failing(_) | Outcome::Decided(_) => return outcome,
    };
    if fleet.refuse(text) {
        applied.events.push(FleetEvent::warning(reason, text.clone()));
    }
    outcome
}
