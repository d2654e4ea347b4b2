"""The whole of it once: the chart on a real API server, and each pod's real command as a process on loopback.

  KUBE_BIN=FOLDER whole.py PROGRAMS [--keep FOLDER]     PROGRAMS has barrage, barrage-autoscaler and barrage-loadtest
"""

import argparse
import base64
import os
import pathlib
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import engine  # noqa: E402
import helm_python as helm  # noqa: E402
import monitoring  # noqa: E402
import runner  # noqa: E402
from kubelet import Kubelet  # noqa: E402
from lifecycle import APPS, CORE, NS, end_cleanly, expect, until  # noqa: E402
from plane import Plane  # noqa: E402
from servers import Servers  # noqa: E402

# Addresses that stand for load balancers before entry and the uplinks.
ENTRY, UPLINK = ("127.3.0.1", 8080), ("127.3.0.2", 8080)
GATEWAYS = f"{APPS}/deployments/live-barrage-gateway"


def chosen(servers):
    """A small cluster with the controller, on the servers of the test."""
    small = {"requests": {"cpu": "10m", "memory": "16Mi"}}
    fixed = {"enabled": False}
    return {
        "mode": "cluster",
        "token": {"existingSecret": "barrage-token", "guests": True},
        "nats": {"urls": [f"nats://127.0.0.1:{servers.nats}"], "replicas": 1},
        "redis": {"url": f"redis://127.0.0.1:{servers.redis}"},
        "postgresql": {"url": f"postgres://barrage@127.0.0.1:{servers.postgres}/barrage"},
        "uplink": {"publicUrls": [f"http://{UPLINK[0]}:{UPLINK[1]}"], "autoscaling": fixed, "replicas": 2, "resources": small},
        "entry": {"autoscaling": fixed, "replicas": 1, "resources": small},
        "gateway": {
            "address": {"mode": "wildcardDns", "host": "{pod_ip}", "scheme": "http"},
            "ports": [{"name": "public", "port": 8080, "containerPort": 8080}],
            "terminationGracePeriodSeconds": 60,
        },
        "config": {
            "gateway": {"drain_secs_max": 20, "drain_secs": 1},
            "uplink": {"gift_role_min": "viewer"},
            # A pod listens on all addresses; here it listens on loopback alone, where a server knows no host names.
            "http": {"hosts": ["live-barrage-entry", "live-barrage-uplink", "live-barrage-entry-admin"]},
        },
        "capacity": {"knee": {"connections": 100, "joins_per_s": 200}},
        "autoscaling": {
            "engine": "ours",
            "maxReplicas": 4,
            "ours": {"adminTokenSecret": "barrage-admin", "replicas": 1, "policy": {"panic": {"holdSecs": 10}, "scaleIn": {"windowSecs": 10, "afterOutSecs": 5, "periodSecs": 2}}},
        },
        "tests": {"count": 2},
        "probe": {"enabled": True, "resources": small},
    }


class Cluster:
    def __init__(self, plane, programs, folder, servers):
        self.plane, self.api = plane, plane.api
        self.servers, self.programs = servers, programs
        self.api.create("/api/v1/namespaces", {"metadata": {"name": NS}})
        key = secrets.token_hex(32)
        (folder / "token.key").write_text(key)
        (folder / "token.key").chmod(0o600)
        (folder / "barrage.toml").write_text('[[token.keys]]\nid = "main"\nalgorithm = "hs256"\nsecret_file = "token.key"\n')
        self.folder = folder
        self.secret("barrage-token", "token.key", key)
        self.secret("barrage-admin", "token", self.token("admin"))
        self.services = runner.Services(self.api, NS)
        started = runner.Runner(plane, programs, folder / "pods", self.services)
        self.kubelet = Kubelet(self.api, runner=started)
        self.config = helm.Config(kubeconfig_path=str(plane.kubeconfig), namespace=NS)
        self.prometheus = monitoring.Prometheus(folder, self.kubelet)

    def secret(self, name, key, text):
        data = {key: base64.b64encode(text.encode()).decode()}
        self.api.create(f"{CORE}/secrets", {"metadata": {"name": name}, "data": data})

    def token(self, role):
        words = [self.programs["/usr/local/bin/barrage"], "--config", "barrage.toml", "token", "--user", role, "--room", "*", "--role", role]
        return subprocess.run(words, cwd=self.folder, check=True, capture_output=True, text=True).stdout.strip()

    def balancers(self):
        """Opens the addresses of entry and of the uplinks to clients."""
        for address, role in ((ENTRY, "entry"), (UPLINK, "uplink")):
            selector = {"app.kubernetes.io/instance": engine.NAME, "app.kubernetes.io/component": role}
            self.services.listeners[address] = self.services.listen(address, selector, {"targetPort": 8080})

    def is_ready(self):
        items = self.api.items(f"{APPS}/deployments")
        return all(item["status"].get("readyReplicas", 0) == item["spec"]["replicas"] for item in items)

    def gateways(self):
        found = self.api.items(f"{CORE}/pods?labelSelector=app.kubernetes.io%2Fcomponent%3Dgateway")
        return [item["metadata"]["name"] for item in found if not item["metadata"].get("deletionTimestamp")]

    def notes(self, reason):
        """Returns the texts of all events with a reason."""
        events = self.api.items(f"/apis/events.k8s.io/v1/namespaces/{NS}/events")
        return [one.get("note", "") for one in events if one["reason"] == reason]

    def drained(self):
        """Returns the pods that the controller has drained and removed."""
        return set(re.findall(r"live-barrage-gateway-[0-9a-z]+-[0-9a-z]+", " ".join(self.notes("ScaledDown"))))

    def helm_test(self):
        """Runs `helm test`. Returns whether the messages were shown."""
        try:
            self.config.test(engine.NAME, timeout=90)
        except helm.HelmError as error:
            print(f"           helm test: {str(error)[:200]}")
            return False
        return True

    def close(self):
        self.prometheus.close()
        self.kubelet.close()
        self.services.close()


def messages(cluster):
    began = time.monotonic()
    cluster.config.install(cluster.plane.chart(), engine.NAME, chosen(cluster.servers), namespace=NS)
    cluster.balancers()
    until("two gateways by the controller, and every pod is ready", lambda: cluster.is_ready() and len(cluster.gateways()) == 2)
    print(f"  {time.monotonic() - began:5.1f} s  since the install")
    expect("helm test sends messages end to end", cluster.helm_test())
    cluster.servers.pause("nats")
    expect("helm test fails while NATS hangs", not cluster.helm_test())
    cluster.servers.resume("nats")
    until("helm test succeeds again", cluster.helm_test)


def stops(cluster):
    """A pod that is deleted drains first, and its hook ends."""
    victim = cluster.gateways()[0]
    cluster.api.call("DELETE", f"{CORE}/pods/{victim}")
    until("the pod has gone", lambda: cluster.api.find(f"{CORE}/pods/{victim}") is None)
    hook = (cluster.folder / "pods" / victim / "hook").read_text()
    expect(f"its hook moved the viewers: {hook.strip()!r}", "drained" in hook)
    until("another one has taken its place", lambda: cluster.is_ready() and len(cluster.gateways()) == 2)


def uplinks(cluster, many):
    """An operator scales the uplinks by hand. Nothing sets the number back."""
    path = f"{APPS}/deployments/live-barrage-uplink"
    cluster.api.merge(f"{path}/scale", {"spec": {"replicas": many}})
    until(f"{many} uplinks, by hand", lambda: cluster.api.get(path)["status"].get("readyReplicas") == many)


class Load:
    """A run of the load tester against the entry of the cluster."""

    def __init__(self, cluster, scenario, *more):
        self.log = cluster.folder / f"loadtest-{pathlib.Path(scenario).stem}.log"
        words = [cluster.programs["loadtest"], "run", scenario, *more, "--target", f"http://{ENTRY[0]}:{ENTRY[1]}"]
        words += ["--token-key", cluster.folder / "token.key", "--quiet"]
        with open(self.log, "w") as log:
            self.tester = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.tester.kill()

    def ends(self):
        code = self.tester.wait(180)
        print(self.log.read_text()[-3000:])
        expect("no gift is lost or doubled, and the thresholds hold", code == 0)


def kill_one(cluster, victim):
    running = next(one for one in cluster.kubelet.running.values() if one.name == victim)
    restarts = running.restarts
    running.process.kill()
    until(f"{victim}, which was killed, is back", lambda: running.restarts == restarts + 1 and running.ready)


def celebrity(cluster):
    """The built-in scenario: a quiet room until all viewers come within 10 s. A gateway is killed meanwhile."""
    with Load(cluster, "celebrity", "--viewers", "300") as load:
        until("the controller has added gateways for the celebrity", lambda: len(cluster.gateways()) >= 3 and cluster.is_ready())
        kill_one(cluster, cluster.gateways()[0])
        load.ends()
    until("the fleet is small again", lambda: cluster.is_ready() and len(cluster.gateways()) == 2)


def audience(cluster):
    """An audience stays while it gets smaller: the controller adds gateways, a killed one comes back, and the emptied ones end."""
    scenario, before = pathlib.Path(__file__).parent / "audience.yaml", cluster.drained()
    # Prometheus has scraped this one before it is killed; a pod that was just added it may not have.
    victim = cluster.gateways()[0]
    with Load(cluster, scenario) as load:
        until("the controller has added gateways", lambda: len(cluster.gateways()) >= 3 and cluster.is_ready())
        uplinks(cluster, 3)
        kill_one(cluster, victim)
        seen = set(cluster.gateways())
        until("the fleet is small again", lambda: len(seen.update(now := cluster.gateways()) or now) == 2)
        uplinks(cluster, 2)
        load.ends()
    gone = seen - set(cluster.gateways())
    drained = cluster.drained() - before
    expect(f"exactly the drained pods ended: {sorted(gone)}", gone and gone == drained)
    expect("none was deleted in place of another", not cluster.notes("WrongVictim"))


def is_of_an_absent_part(board, title):
    """Whether a panel is about IRC, webhooks, letters or notifications alone, which the cluster of the test does not have."""
    exprs = [expr for one, expr in monitoring.queries(board) if one == title]
    parts = ("barrage_irc_", "barrage_webhooks_", "barrage_courier_", "barrage_inbox_", "barrage_push_")
    return all(any(part in expr for part in parts) for expr in exprs)


def dashboards(cluster):
    """The queries of the chart's dashboards show what happened."""
    prometheus = cluster.prometheus
    until("the dashboard shows two gateways", lambda: prometheus.panel("autoscaler", "Gateways serving")[0][-1] == 2)
    serving = prometheus.panel("autoscaler", "Gateways serving")[0]
    expect(f"gateways that served: {max(serving):.0f} at most", max(serving) >= 3)
    viewers = prometheus.ask("sum(barrage_gateway_connections)")[0]
    expect(f"viewers: {max(viewers):.0f} at most", max(viewers) >= 250)
    errors = prometheus.ask("max(abs(barrage_fleet_conservation_error))")[0]
    expect(f"messages without an account: {errors[-1]:.0f} at the end, {max(errors):.0f} at most", errors[-1] == 0)
    wrong = prometheus.panel("autoscaler", "Wrong victims")
    expect("no wrong victim", all(value == 0 for series in wrong for value in series))
    starts = prometheus.ask("max(changes(process_start_time_seconds[5m]))")[0]
    expect("the start of the killed gateway", max(starts) >= 1)
    for board in ("overview", "gateway", "entry", "uplink", "bus", "autoscaler"):
        titles, empty = prometheus.empty_panels(board)
        empty = [title for title in empty if not is_of_an_absent_part(board, title)]
        expect(f"{board}: {len(titles) - len(empty)} of {len(titles)} panels have data, without {empty}", not empty)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", type=pathlib.Path)
    parser.add_argument("--keep", type=pathlib.Path, help="folder for the logs, which stay")
    arguments = parser.parse_args()
    reason = runner.is_possible() or monitoring.is_possible() or (None if os.environ.get("KUBE_BIN") else "KUBE_BIN does not name a folder with kube-apiserver")
    if reason:
        print(f"skipped: {reason}")
        return
    end_cleanly()
    programs = {f"/usr/local/bin/{name}": (arguments.programs / name).resolve() for name in ("barrage", "barrage-autoscaler")}
    programs["loadtest"] = (arguments.programs / "barrage-loadtest").resolve()
    folder = arguments.keep or pathlib.Path(tempfile.mkdtemp(prefix="barrage-whole-"))
    folder.mkdir(parents=True, exist_ok=True)
    servers = Servers(folder)
    try:
        with Plane(os.environ["KUBE_BIN"]) as plane:
            cluster = Cluster(plane, programs, folder, servers)
            try:
                messages(cluster)
                stops(cluster)
                celebrity(cluster)
                audience(cluster)
                dashboards(cluster)
            finally:
                cluster.close()
    finally:
        servers.close()
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
