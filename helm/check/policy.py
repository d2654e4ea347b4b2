"""What holds in every render: security of pods, the controller's role, no secret material."""

import engine

CONTROLLER = f"{engine.NAME}-barrage-autoscaler"
# Verbs that the controller uses, and no more.
ROLE = [
    {"apiGroups": ["barrage.dev"], "resources": ["fleetautoscalers"], "verbs": ["list"]},
    {"apiGroups": ["barrage.dev"], "resources": ["fleetautoscalers/status"], "verbs": ["patch"]},
    {"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["gateway"], "verbs": ["get"]},
    {"apiGroups": ["apps"], "resources": ["deployments/scale"], "resourceNames": ["gateway"], "verbs": ["patch"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "patch"]},
    {"apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"], "verbs": ["list"]},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": ["barrage-autoscaler"], "verbs": ["get", "update"]},
    {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"]},
]


def findings(rendered):
    return [*pods(rendered), *roles(rendered), *secrets(rendered), *budgets(rendered), *probes(rendered)]


def pods(rendered):
    for name, pod in rendered.pods():
        security = pod.get("securityContext", {})
        if security.get("runAsNonRoot") is not True or not security.get("runAsUser"):
            yield f"{name} may run as root"
        if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{name} has no seccomp profile"
        if pod.get("automountServiceAccountToken") is not (name == CONTROLLER):
            yield f"{name}: automountServiceAccountToken is {pod.get('automountServiceAccountToken')}"
        # A Service called `barrage` would set variables with the prefix BARRAGE_, which the processes refuse.
        if pod.get("enableServiceLinks") is not False:
            yield f"{name} gets variables of Services"
        for container in pod["containers"] + pod.get("initContainers", []):
            own = container.get("securityContext", {})
            if own.get("readOnlyRootFilesystem") is not True or own.get("allowPrivilegeEscalation") is not False:
                yield f"{name}/{container['name']} may write its root or gain privileges"
            if own.get("capabilities") != {"drop": ["ALL"]}:
                yield f"{name}/{container['name']} has capabilities"
            mounts, volumes = {one["name"] for one in container.get("volumeMounts", [])}, {one["name"] for one in pod.get("volumes", [])}
            if missing := mounts - volumes - {"data"}:
                yield f"{name}/{container['name']} mounts {missing}, which the pod does not have"


def roles(rendered):
    if rendered.of("ClusterRole", "ClusterRoleBinding"):
        yield "a right for the whole cluster"
    for role in rendered.of("Role"):
        prefix = role["metadata"]["name"].removesuffix("autoscaler")
        wanted = [dict(rule) for rule in ROLE]
        for rule in wanted:
            if "resourceNames" in rule:
                rule["resourceNames"] = [prefix + rule["resourceNames"][0].removeprefix("barrage-")]
        if role["rules"] != wanted:
            yield f"the role {role['metadata']['name']} is not the least one: {role['rules']}"


def secrets(rendered):
    for item in rendered.of("Secret"):
        yield f"the chart makes the Secret {item['metadata']['name']}"


def budgets(rendered):
    """A budget for each workload with more than one pod, and none that forbids every eviction."""
    covered = {item["metadata"]["name"] for item in rendered.of("PodDisruptionBudget")}
    least = {item["metadata"]["name"]: item["spec"]["minReplicas"] for item in rendered.of("HorizontalPodAutoscaler")}
    for item in rendered.of("Deployment", "StatefulSet"):
        name = item["metadata"]["name"]
        if name.endswith(("-autoscaler", "-probe", "-nats", "-redis", "-postgresql")):
            continue
        several = item["spec"].get("replicas", least.get(name, 2)) > 1
        if several != (name in covered):
            yield f"{name}: {'no budget' if several else 'a budget for one pod'}"


def probes(rendered):
    """Liveness asks for the process alone; readiness is another path; the grace period covers the hook."""
    for name, pod in rendered.pods():
        if pod.get("restartPolicy") == "Never":
            continue
        for container in pod["containers"]:
            if not container.get("command"):
                continue
            paths = [container[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")]
            if paths != ["/healthz", "/healthz", "/readyz"]:
                yield f"{name}: probes {paths}"
