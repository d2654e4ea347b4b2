//! Everything that is written, and the fence before it.

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

use super::error::ControllerError;
use super::lease::Fence;
use super::note::Note;
use super::orders::Orders;
use super::resource::{FleetAutoscaler, FleetAutoscalerStatus};
use super::sight::{DELETION_COST, VICTIM_COST};

/// Name of this controller in events and managed fields.
const CONTROLLER: &str = "barrage.dev/autoscaler";
/// An event holds a kilobyte of text.
const NOTE_CHARS_MAX: usize = 500;

/// What a pod's deletion costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cost {
    /// It goes first.
    Victim,
    /// As any other.
    Usual,
}

fn patching() -> PatchParams {
    PatchParams { field_manager: Some(CONTROLLER.into()), ..PatchParams::default() }
}

/// The writing half of the controller. No other part writes.
#[derive(Clone)]
pub(super) struct Hands {
    client: Client,
    namespace: String,
    fence: Fence,
    orders: Arc<dyn Orders>,
}

impl Hands {
    pub(super) fn new(client: Client, namespace: &str, fence: Fence, orders: Arc<dyn Orders>) -> Hands {
        Hands { client, namespace: namespace.into(), fence, orders }
    }

    /// Asks for another number of gateways, unless the Deployment has changed since the
    /// version that the decision saw.
    pub(super) async fn scale(
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

    /// Says which pods go first.
    pub(super) async fn cost(&self, pod: &str, cost: Cost) -> Result<(), ControllerError> {
        self.fence.check().await?;
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let value = (cost == Cost::Victim).then_some(VICTIM_COST);
        let patch = json!({ "metadata": { "annotations": BTreeMap::from([(DELETION_COST, value)]) } });
        pods.patch(pod, &patching(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// Orders a drain. A gateway that does not answer is logged and asked again by a
    /// later decision.
    pub(super) async fn drain(&self, address: &str, within_secs: u64) -> Result<(), ControllerError> {
        self.fence.check().await?;
        if let Err(error) = self.orders.drain(address, within_secs).await {
            tracing::warn!(address, %error, "a drain order did not arrive");
        }
        Ok(())
    }

    /// Calls a drain off.
    pub(super) async fn call_off(&self, address: &str) -> Result<(), ControllerError> {
        self.fence.check().await?;
        if let Err(error) = self.orders.call_off(address).await {
            tracing::warn!(address, %error, "a drain could not be called off");
        }
        Ok(())
    }

    /// Has a share of a gateway's viewers sent to others.
    pub(super) async fn give_back(&self, address: &str, share: f64) -> Result<(), ControllerError> {
        self.fence.check().await?;
        if let Err(error) = self.orders.give_back(address, share).await {
            tracing::warn!(address, %error, "a gateway could not be told to give viewers back");
        }
        Ok(())
    }

    /// Has entry send nobody to these gateways, until it lapses. One entry tells the others.
    pub(super) async fn shut(&self, entry: &str, gateways: &[GatewayId]) -> Result<(), ControllerError> {
        self.fence.check().await?;
        if let Err(error) = self.orders.shut(entry, gateways).await {
            tracing::warn!(entry, %error, "entry could not be told whom to send nobody");
        }
        Ok(())
    }

    /// Writes a status.
    pub(super) async fn status(
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

    /// Tells a person. What cannot be told is logged: it stops nothing.
    pub(super) async fn tell(&self, about: &FleetAutoscaler, note: &Note) {
        tracing::info!(fleet = about.metadata.name, reason = note.reason, text = note.text, "told");
        let event = Event {
            metadata: ObjectMeta {
                generate_name: about.metadata.name.as_ref().map(|name| format!("{name}-")),
                namespace: Some(self.namespace.clone()),
                ..ObjectMeta::default()
            },
            type_: Some(note.kind.label().into()),
            reason: Some(note.reason.into()),
            action: Some(note.reason.into()),
            note: Some(note.text.chars().take(NOTE_CHARS_MAX).collect()),
            event_time: Some(MicroTime(Timestamp::now())),
            regarding: Some(about.object_ref(&())),
            reporting_controller: Some(CONTROLLER.into()),
            reporting_instance: Some(self.fence.identity().into()),
            ..Event::default()
        };
        let events: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let told = match self.fence.check().await {
            Ok(()) => events.create(&PostParams::default(), &event).await.map(drop).map_err(Into::into),
            Err(error) => Err(error),
        };
        if let Err(error) = told {
            tracing::warn!(%error, reason = note.reason, "an event could not be written");
        }
    }
}
