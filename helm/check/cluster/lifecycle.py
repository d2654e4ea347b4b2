"""Install, upgrade, rollback and uninstall with the Helm SDK on a real API server. Nodes alone are played.

  KUBE_BIN=FOLDER lifecycle.py      FOLDER has etcd, kube-apiserver and kube-controller-manager
"""

import base64
import os
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import engine  # noqa: E402
import helm_python as helm  # noqa: E402
from kubelet import Kubelet  # noqa: E402
from plane import Plane  # noqa: E402

NS = engine.NAMESPACE
APPS = f"/apis/apps/v1/namespaces/{NS}"
CORE = f"/api/v1/namespaces/{NS}"
GATEWAYS = f"{APPS}/deployments/live-barrage-gateway"
WAIT_SECS = 240


def end_cleanly():
    """Makes SIGTERM an error of the script, so that it ends its servers and pods."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def until(what, holds):
    """Polls a condition, and fails with its name after a time."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > WAIT_SECS:
            raise SystemExit(f"not within {WAIT_SECS} s: {what}")
        time.sleep(0.2)
    print(f"  {time.monotonic() - began:5.1f} s  {what}", flush=True)


def expect(what, is_true):
    if not is_true:
        raise SystemExit(f"not so: {what}")
    print(f"           {what}", flush=True)


class Stage:
    def __init__(self, plane):
        self.plane, self.api = plane, plane.api
        self.config = helm.Config(kubeconfig_path=str(plane.kubeconfig), namespace=NS)
        self.api.create("/api/v1/namespaces", {"metadata": {"name": NS}})
        for name, key in (("barrage-token", "token.key"), ("barrage-postgresql", "url"), ("barrage-admin", "token")):
            data = {key: base64.b64encode(b"material of the operator").decode()}
            self.api.create(f"{CORE}/secrets", {"metadata": {"name": name}, "data": data})

    def deployments(self):
        return {item["metadata"]["name"]: item for item in self.api.items(f"{APPS}/deployments")}

    def is_rolled_out(self):
        """Whether every Deployment has all its pods, of its newest template, ready."""
        for item in self.deployments().values():
            status, wanted = item["status"], item["spec"]["replicas"]
            counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "readyReplicas")]
            if status.get("observedGeneration", 0) < item["metadata"]["generation"] or counts != [wanted] * 3:
                return False
        return True

    def config_text(self):
        return self.api.get(f"{CORE}/configmaps/live-barrage-config")["data"]["barrage.toml"]

    def images(self):
        pods = self.api.items(f"{CORE}/pods")
        return {one["image"] for pod in pods if not pod["metadata"].get("deletionTimestamp") for one in pod["spec"]["containers"]}

    def may(self, verb, resource, name="", group=""):
        """Whether the controller's service account may do something."""
        group_resource, _, sub = resource.partition("/")
        spec = {
            "user": f"system:serviceaccount:{NS}:live-barrage-autoscaler",
            "resourceAttributes": {"namespace": NS, "verb": verb, "group": group, "resource": group_resource, "subresource": sub, "name": name},
        }
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        return self.api.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", body)["status"]["allowed"]


def install(stage, chosen):
    print("install", flush=True)
    stage.config.install(stage.plane.chart(), engine.NAME, chosen, namespace=NS)
    until("every Deployment has its pods", stage.is_rolled_out)
    names = set(stage.deployments())
    expect(f"a Deployment for each role: {sorted(names)}", len(names) >= 5)
    fleet = f"/apis/barrage.dev/v1alpha1/namespaces/{NS}/fleetautoscalers/live-barrage-gateway"
    expect("the CRD is served, and the FleetAutoscaler is there", stage.api.find(fleet) is not None)
    scalers = stage.api.items(f"/apis/autoscaling/v1/namespaces/{NS}/horizontalpodautoscalers")
    expect("two HPAs, none for the gateways", len(scalers) == 2 and all("gateway" not in one["metadata"]["name"] for one in scalers))
    budgets = "policy/v1" if stage.api.find("/apis/policy/v1") else "policy/v1beta1"
    expect(f"budgets of {budgets}", len(stage.api.items(f"/apis/{budgets}/namespaces/{NS}/poddisruptionbudgets")) >= 2)
    expect("the controller may scale the gateways", stage.may("patch", "deployments/scale", "live-barrage-gateway", "apps"))
    expect("it may not scale the uplinks", not stage.may("patch", "deployments/scale", "live-barrage-uplink", "apps"))
    expect("it may read no Secret", not stage.may("get", "secrets", "barrage-token"))


def upgrade(stage, chosen):
    print("upgrade", flush=True)
    stage.api.merge(f"{GATEWAYS}/scale", {"spec": {"replicas": 4}})
    until("four gateways, as an engine asked for", lambda: stage.api.get(GATEWAYS)["status"].get("readyReplicas") == 4)
    changed = engine.with_changes(chosen, "image.tag=next", "config.gateway.window_ms=100")
    stage.config.upgrade(stage.plane.chart(), engine.NAME, changed, namespace=NS)
    until("every pod has the new image", lambda: stage.is_rolled_out() and stage.images() == {"barrage:next"})
    expect("the configuration is the new one", "window_ms = 100" in stage.config_text())
    expect("the engine's number of gateways stays", stage.api.get(GATEWAYS)["spec"]["replicas"] == 4)
    try:
        wrong = engine.with_changes(changed, "gateway.replicas=2")
        stage.config.upgrade(stage.plane.chart(), engine.NAME, wrong, namespace=NS)
    except helm.HelmError as error:
        expect("an upgrade with contradicting values is refused", "remove gateway.replicas" in str(error))
    else:
        raise SystemExit("an upgrade with contradicting values was accepted")
    expect("and changes nothing", stage.api.get(GATEWAYS)["spec"]["replicas"] == 4)


def rollback(stage, first):
    print("rollback", flush=True)
    stage.config.rollback(engine.NAME, version=1)
    until("every pod has the old image", lambda: stage.is_rolled_out() and stage.images() == first)
    expect("the configuration is the old one", "window_ms" not in stage.config_text())
    expect("the engine's number of gateways stays", stage.api.get(GATEWAYS)["spec"]["replicas"] == 4)


def single(stage):
    print("install of one process", flush=True)
    stage.config.install(stage.plane.chart(), "one", {}, namespace=NS)
    ready = lambda: stage.api.get(f"{APPS}/statefulsets/one-barrage")["status"].get("readyReplicas") == 1  # noqa: E731
    until("the StatefulSet has its pod", ready)
    stage.config.uninstall("one")


def uninstall(stage):
    print("uninstall", flush=True)
    stage.config.uninstall(engine.NAME)
    until("no pod is left", lambda: not stage.api.items(f"{CORE}/pods"))
    expect("the operator's Secrets stay", stage.api.find(f"{CORE}/secrets/barrage-token") is not None)
    crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/fleetautoscalers.barrage.dev"
    expect("the CRD stays", stage.api.find(crd) is not None)


def main():
    folder = os.environ.get("KUBE_BIN")
    if not folder:
        print("skipped: KUBE_BIN does not name a folder with kube-apiserver")
        return
    end_cleanly()
    began = time.monotonic()
    with Plane(folder) as plane:
        stage, kubelet = Stage(plane), Kubelet(plane.api)
        try:
            chosen = engine.value_sets()["autoscaler"]
            install(stage, chosen)
            first = stage.images()
            upgrade(stage, chosen)
            rollback(stage, first)
            single(stage)
            uninstall(stage)
        finally:
            kubelet.close()
    print(f"install, upgrade, rollback and uninstall on a real API server: {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
