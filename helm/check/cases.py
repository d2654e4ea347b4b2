"""Wrong values, each with the words of its refusal, and facts of single value sets."""

import tempfile
import tomllib

import helm_python as helm

import engine
import values

# Refused by the schema: changes to the value set `cluster`, and a word of the message.
WRONG = [
    (["colour=red"], "colour"),
    (["gateway.colour=red"], "colour"),
    (["image.tagg=1"], "tagg"),
    (["mode=double"], "mode"),
    (["autoscaling.engine=magic"], "engine"),
    (["autoscaling.minReplicas=0"], "minReplicas"),
    (["gateway.terminationGracePeriodSeconds=long"], "terminationGracePeriodSeconds"),
    (["gateway.address.mode=anycast"], "mode"),
    (["gateway.ports=none"], "ports"),
    (["gateway.ports=[{name: HTTPS, port: 443, containerPort: 8443}]"], "ports"),
    (["gateway.ports=[{name: https, port: 70000, containerPort: 8443}]"], "port"),
    (["gateway.ports=[{name: https, port: 443, containerPort: 443}]"], "containerPort"),
    (["image.digest=sha256:short"], "digest"),
    (["image.pullPolicy=Sometimes"], "pullPolicy"),
    (["nats.urls=['nats://user:password@nats:4222']"], "urls"),
    (["redis.url=redis://:password@redis:6379"], "url"),
    (["postgresql.url=postgres://barrage:password@db/barrage"], "url"),
    (["nats.replicas=7"], "replicas"),
    (["nats.trial.servers=2"], "servers"),
    (["uplink.publicUrls=[post.live.example]"], "publicUrls"),
    (["entry.publicUrl=live.example"], "publicUrl"),
    (["capacity.knee.connections=50000"], "joins_per_s"),
    (["capacity.knee.viewers=50000"], "viewers"),
    (["capacity.atLeast.cpu_cores=true"], "cpu_cores"),
    (["token.keys=[{id: a, algorithm: none}]"], "algorithm"),
    (["log.format=xml"], "format"),
    (["uplink.autoscaling.targetCpuPercent=150"], "targetCpuPercent"),
    (["tests.count=0"], "count"),
    (["gateway.addresses=[gw.live.example]"], "addresses"),
    (["uplink.addresses=['{node_name}']"], "addresses"),
    (["gateway.carriers=telecom"], "carriers"),
    (["uplink.region=7"], "region"),
    (["networkPolicy.enabled=perhaps"], "enabled"),
]

# Refused by a guard: value set, changes, and the remedy that the message has.
GUARDS = [
    ("minimal", ["single.replicas=2"], "set mode to cluster"),
    ("minimal", ["autoscaling.engine=ours"], "set mode to cluster"),
    ("minimal", ["ingress.enabled=true"], "single.service.type"),
    ("minimal", ["single.terminationGracePeriodSeconds=149"], "set it to 150 or more"),
    ("cluster", ["gateway.terminationGracePeriodSeconds=149"], "set it to 150 or more"),
    ("cluster", ["config.gateway.drain_secs_max=600"], "set it to 630 or more"),
    ("cluster", ["token.existingSecret=''"], "kubectl create secret generic barrage-token"),
    ("cluster", ["nats.urls=null"], "set nats.urls"),
    ("cluster", ["postgresql.existingSecret=''"], "set postgresql.existingSecret"),
    ("cluster", ["postgresql.trial.enabled=true"], "kubectl create secret generic barrage-postgresql"),
    ("cluster", ["nats.clientCertificate=true"], "set nats.tlsSecret"),
    ("everything", ["push.existingSecret=''"], "kubectl create secret generic barrage-push"),
    ("irc", ["tls.existingSecret=''"], "set tls.existingSecret"),
    ("irc", ["irc.plainPort=null", "irc.tlsPort=null"], "set irc.plainPort or irc.tlsPort"),
    ("cluster", ["gateway.address.mode=''"], "set it to hostPort, loadBalancer or wildcardDns"),
    ("cluster", ["gateway.address.mode=wildcardDns"], "set gateway.address.host"),
    ("cluster", ["gateway.address.mode=loadBalancer", "gateway.address.host=gw.live.example"], "put {pod_name}"),
    ("cluster", ["uplink.publicUrls=null"], "uplink.publicUrls"),
    ("cluster", ["ingress.enabled=true"], "set ingress.entryHost"),
    ("cluster", ["autoscaling.engine=ours"], "autoscaling.ours.adminTokenSecret"),
    ("cluster", ["autoscaling.engine=keda"], "autoscaling.keda.prometheus"),
    ("autoscaler", ["gateway.replicas=3"], "remove gateway.replicas"),
    ("autoscaler", ["gateway.replicas=0"], "remove gateway.replicas"),
    ("autoscaler", ["autoscaling.maxReplicas=2"], "minReplicas is above maxReplicas"),
    ("autoscaler", ["gateway.address.mode=loadBalancer", "gateway.address.host='{pod_name}.x.example'"], "engine to hpa or keda"),
    ("cluster", ["uplink.replicas=3"], "remove one of them"),
    ("cluster", ["entry.autoscaling.maxReplicas=1"], "minReplicas is above maxReplicas"),
    ("cluster", ["config.listen=['0.0.0.0:80']"], "bindAddress"),
    ("cluster", ["entry.ports=[{name: http, port: 80, containerPort: 8081}]"], "give each port its own"),
]


def count():
    return len(WRONG) + len(GUARDS)


def findings(chart):
    return [*wrong(chart), *guards(chart), *facts(chart), *package(chart)]


def package(chart):
    """The packaged chart renders the same, and has nothing of the tests."""
    chosen = engine.value_sets()["monitoring"]
    with tempfile.TemporaryDirectory() as folder:
        with helm.Chart.load(helm.package(str(values.CHART), destination=folder)) as packaged:
            if packaged.render(chosen, name=engine.NAME, namespace=engine.NAMESPACE) != chart.chart.render(chosen, name=engine.NAME, namespace=engine.NAMESPACE):
                yield "the packaged chart renders something else"
            names = [one["name"] for one in packaged.files]
    if any(name.startswith("ci/") for name in names) or "files/rules/barrage.yaml" not in names:
        yield f"the packaged chart has {names}"


def refusal(chart, chosen):
    """Returns the kind and text of a refusal; none when the values render."""
    try:
        chart.chart.validate_schema(chosen)
    except helm.HelmError as error:
        return "schema", str(error)
    try:
        chart.render(chosen)
    except helm.HelmError as error:
        return "guard", str(error)
    return None, "it renders"


def wrong(chart):
    base = engine.value_sets()["cluster"]
    for changes, word in WRONG:
        kind, text = refusal(chart, engine.with_changes(base, *changes))
        if kind != "schema" or word not in text:
            yield f"wrong value {changes}: not refused by the schema with {word!r}: {text}"


def guards(chart):
    sets = engine.value_sets()
    for name, changes, remedy in GUARDS:
        kind, text = refusal(chart, engine.with_changes(sets[name], *changes))
        said = text.split("error calling fail:")[-1].strip()
        if kind != "guard" or remedy not in said or "\n" in said:
            yield f"guard {name} {changes}: no line with {remedy!r}: {text}"


def facts(chart):
    """Facts of single value sets, and of the chart."""
    version = tomllib.loads((values.CHART.parent.parent / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    if chart.chart.metadata["appVersion"] != version:
        yield f"Chart.yaml: appVersion is not the workspace's version, {version}"
    rendered = {name: chart.render(chosen) for name, chosen in engine.value_sets().items()}
    for name, one in rendered.items():
        said = [line for line in one.notes.splitlines() if line.startswith("  ")]
        if len(said) != 3:
            yield f"{name}: the notes have {len(said)} commands, not three"
        named = {item["metadata"]["name"] for item in one.of("HorizontalPodAutoscaler", "FleetAutoscaler")}
        named |= {item["spec"]["scaleTargetRef"]["name"] for item in one.of("ScaledObject")}
        for item in one.of("Deployment", "StatefulSet"):
            if (item["metadata"]["name"] in named) == ("replicas" in item["spec"]):
                yield f"{name}: {item['metadata']['name']}: replicas and an autoscaler, or neither"
    balancers = [item for item in rendered["load-balancers"].of("Service") if item["spec"].get("type") == "LoadBalancer"]
    hosts = [item["metadata"]["annotations"]["external-dns.alpha.kubernetes.io/hostname"] for item in balancers]
    if hosts != [f"live-barrage-gateway-{n}.gw.live.example" for n in range(3)]:
        yield f"load-balancers: {hosts}"
    capacity = rendered["autoscaler"].of("FleetAutoscaler")[0]["spec"]["capacity"]
    if capacity != {"connections": 50000, "joinsPerS": 1500, "egressBytesPerS": 200000000, "cpuCores": 7.5, "memoryBytes": 12000000000}:
        yield f"autoscaler: capacity {capacity}"
    for name, url in (("cluster", "http://live-barrage-entry:80"), ("tls", "https://live.example")):
        arguments = rendered[name].of("Pod")[0]["spec"]["containers"][0]["args"]
        if f"--url={url}" not in arguments:
            yield f"{name}: the test sends to {arguments}, not {url}"
    ports = next(pod for name, pod in rendered["cluster"].pods() if name.endswith("-gateway"))["containers"][0]["ports"]
    if [one.get("hostPort") for one in ports] != [443, 80, 8080, 14000, None]:
        yield f"cluster: host ports {ports}"
    maps = [item["data"] for item in rendered["wildcard-dns"].of("ConfigMap") if "barrage.toml" in item["data"]]
    file = tomllib.loads(maps[0]["barrage.toml"])
    place = [file["gateway"].get(key) for key in ("region", "carriers", "addresses")]
    if place != ["CN-SH", ["telecom"], ["{node_ip}"]] or file["uplink"].get("region") != "CN-SH":
        yield f"wildcard-dns: the place of gateways is {place}, the uplinks' region {file['uplink'].get('region')}"
    if file["entry"].get("region_file") != "/etc/barrage/regions.csv" or "CN-SH" not in maps[0].get("regions.csv", ""):
        yield f"wildcard-dns: no region table: {file['entry']}"
    probe = next((pod for name, pod in rendered["cluster"].pods() if name.endswith("-probe")), None)
    if not probe or probe["containers"][0]["args"] != ["probe", "--serve"]:
        yield f"cluster: the probe's pod is {probe}"
    if rendered["single-replicas"].of("PodDisruptionBudget"):
        yield "single-replicas: a budget for one pod"
    policies = rendered["network-policies"]
    if len(policies.of("NetworkPolicy")) != len(policies.of("Deployment", "StatefulSet")):
        yield "network-policies: a role without a policy"
    rules = rendered["monitoring"].of("PrometheusRule")[0]["spec"]["groups"]
    boards = [item for item in rendered["monitoring"].of("ConfigMap") if "-dashboard-" in item["metadata"]["name"]]
    if not rules or len(boards) < 6:
        yield f"monitoring: {len(rules)} groups of rules, {len(boards)} dashboards"
    if rendered["minimal"].of("Pod") or not rendered["cluster"].of("Pod"):
        yield "the test pod is there without keys, or missing with them"
