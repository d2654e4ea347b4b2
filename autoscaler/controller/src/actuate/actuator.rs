//! Every write of the controller, and the fence before it.

use std::collections::BTreeMap;
use std::sync::Arc;

use barrage_scaling::GatewayId;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Client, Resource};
use serde_json::json;

use super::admin::AdminCommands;
use super::event::FleetEvent;
use crate::error::ControllerError;
use crate::lease::Fence;
use crate::observe::{DELETION_COST, VICTIM_COST};
use crate::resource::{FleetAutoscaler, FleetAutoscalerStatus};

/// Name of this controller in events and managed fields.
const CONTROLLER: &str = "barrage.dev/autoscaler";
/// Longest text of an event: Kubernetes takes 1 KiB.
const EVENT_CHARS_MAX: usize = 500;

/// Value of a pod's deletion-cost annotation, which decides which pods Kubernetes deletes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeletionCost {
    /// `VICTIM_COST`, below the default of 0, so that Kubernetes deletes the pod first.
    Victim,
    /// No annotation, which Kubernetes reads as a cost of 0.
    Default,
}

fn patching() -> PatchParams {
    PatchParams { field_manager: Some(CONTROLLER.into()), ..PatchParams::default() }
}

/// The writing half of the controller: no other part writes. Every method checks the fence
/// first, and returns [`ControllerError::Fenced`] when another replica leads. A gateway or an
/// entry that does not take a command is logged; a later decision repeats the command.
#[derive(Clone)]
pub(crate) struct Actuator {
    client: Client,
    namespace: String,
    fence: Fence,
    commands: Arc<dyn AdminCommands>,
}

impl Actuator {
    pub(crate) fn new(
        client: Client,
        namespace: &str,
        fence: Fence,
        commands: Arc<dyn AdminCommands>,
    ) -> Actuator {
        Actuator { client, namespace: namespace.into(), fence, commands }
    }

    /// Sets the Deployment's replicas, unless the Deployment has changed since the version that
    /// the decision was made on.
    pub(crate) async fn scale(
        &self,
        deployment: &str,
        replicas: u32,
        version: Option<&str>,
    ) -> Result<(), ControllerError> {
        self.fence.check().await?;
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), &self.namespace);
        let patch = json!({ "metadata": { "resourceVersion": version }, "spec": { "replicas": replicas } });
        deployments.patch_scale(deployment, &patching(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// Sets or removes a pod's deletion cost.
    pub(crate) async fn set_deletion_cost(
        &self,
        pod: &str,
        cost: DeletionCost,
    ) -> Result<(), ControllerError> {
        self.fence.check().await?;
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let value = (cost == DeletionCost::Victim).then_some(VICTIM_COST);
        let patch = json!({ "metadata": { "annotations": BTreeMap::from([(DELETION_COST, value)]) } });
        pods.patch(pod, &patching(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// Starts the drain of the gateway at `address`.
    pub(crate) async fn start_drain(&self, address: &str, within_secs: u64) -> Result<(), ControllerError> {
        self.fence.check().await?;
        if let Err(error) = self.commands.start_drain(address, within_secs).await {
            tracing::warn!(address, %error, "gateway did not start its drain");
        }
        Ok(())
    }

    /// Cancels the drain of the gateway at `address`.
    pub(crate) async fn cancel_drain(&self, address: &str) -> Result<(), ControllerError> {
        self.fence.check().await?;
        if let Err(error) = self.commands.cancel_drain(address).await {
            tracing::warn!(address, %error, "gateway did not cancel its drain");
        }
        Ok(())
    }

    /// Makes the gateway at `address` send a share of its viewers to other gateways.
    pub(crate) async fn give_back(&self, address: &str, share: f64) -> Result<(), ControllerError> {
        self.fence.check().await?;
        if let Err(error) = self.commands.give_back(address, share).await {
            tracing::warn!(address, share, %error, "gateway did not take the order to give viewers back");
        }
        Ok(())
    }

    /// Sets the weight factor of gateways to 0 at one entry, which shares it with all others.
    /// The factor lapses unless a later decision repeats it.
    pub(crate) async fn shut(&self, entry: &str, gateways: &[GatewayId]) -> Result<(), ControllerError> {
        self.fence.check().await?;
        if let Err(error) = self.commands.shut(entry, gateways).await {
            tracing::warn!(entry, %error, "entry did not take the weight factors of overloaded gateways");
        }
        Ok(())
    }

    /// Merges the status into the resource's status subresource; the spec stays as it is.
    pub(crate) async fn status(
        &self,
        name: &str,
        status: &FleetAutoscalerStatus,
    ) -> Result<(), ControllerError> {
        self.fence.check().await?;
        let objects: Api<FleetAutoscaler> = Api::namespaced(self.client.clone(), &self.namespace);
        let patch = json!({ "status": status });
        objects.patch_status(name, &patching(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// Records a Kubernetes event. A failure is logged and stops nothing.
    pub(crate) async fn record(&self, about: &FleetAutoscaler, event: &FleetEvent) {
        tracing::info!(
            fleet = about.metadata.name,
            reason = event.reason,
            text = event.text,
            "Kubernetes event recorded"
        );
        let written = Event {
            metadata: ObjectMeta {
                generate_name: about.metadata.name.as_ref().map(|name| format!("{name}-")),
                namespace: Some(self.namespace.clone()),
                ..ObjectMeta::default()
            },
            type_: Some(event.kind.label().into()),
            reason: Some(event.reason.into()),
            action: Some(event.reason.into()),
            note: Some(event.text.chars().take(EVENT_CHARS_MAX).collect()),
            event_time: Some(MicroTime(Timestamp::now())),
            regarding: Some(about.object_ref(&())),
            reporting_controller: Some(CONTROLLER.into()),
            reporting_instance: Some(self.fence.identity().into()),
            ..Event::default()
        };
        let events: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let result = match self.fence.check().await {
            Ok(()) => events.create(&PostParams::default(), &written).await.map(drop).map_err(Into::into),
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            tracing::warn!(%error, reason = event.reason, "Kubernetes event could not be written");
        }
    }
}
