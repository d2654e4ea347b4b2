"""A stand-in for nodes and their kubelets. Without a runner no process starts: a bound pod is ready at once."""

import threading
import time
import urllib.error
from datetime import datetime, timezone

LOOK_SECS = 0.2


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Kubelet:
    """Binds pods to nodes, reports their state, and ends deleted ones. A thread of its own looks at all pods."""

    def __init__(self, api, nodes=3, runner=None):
        self.api, self.nodes, self.runner = api, nodes, runner
        self.addresses, self.running, self.stopping, self.reported = {}, {}, set(), {}
        self.stop = threading.Event()
        for number in range(nodes):
            self.make_node(number)
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def close(self):
        self.stop.set()
        self.thread.join(10)
        for pod in self.running.values():
            pod.kill()

    def make_node(self, number):
        name = f"node-{number}"
        labels = {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": f"zone-{number % 3}"}
        self.api.try_call("POST", "/api/v1/nodes", {"metadata": {"name": name, "labels": labels}})
        self.api.merge(f"/api/v1/nodes/{name}", {"spec": {"taints": None}})
        room = {"cpu": "64", "memory": "256Gi", "pods": "1000"}
        ready = {"type": "Ready", "status": "True", "reason": "Test", "lastHeartbeatTime": now(), "lastTransitionTime": now()}
        status = {"capacity": room, "allocatable": room, "conditions": [ready]}
        self.api.merge(f"/api/v1/nodes/{name}/status", {"status": status})

    def work(self):
        while not self.stop.wait(LOOK_SECS):
            try:
                for pod in self.api.items("/api/v1/pods"):
                    self.look(pod)
            except (OSError, urllib.error.URLError) as error:
                print(f"kubelet: {error}")

    def look(self, pod):
        meta = pod["metadata"]
        path, uid = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}", meta["uid"]
        if meta.get("deletionTimestamp"):
            self.end(path, uid, meta)
        elif not pod["spec"].get("nodeName"):
            self.bind(path, meta, uid)
        elif uid not in self.addresses:
            self.begin(path, uid, pod)
        elif uid in self.running:
            self.report(path, uid, self.running[uid].state())

    def bind(self, path, meta, uid):
        target = {"apiVersion": "v1", "kind": "Node", "name": f"node-{hash(uid) % self.nodes}"}
        self.api.try_call("POST", f"{path}/binding", {"metadata": {"name": meta["name"]}, "target": target})

    def begin(self, path, uid, pod):
        number = len(self.addresses) + 1
        address = f"127.1.{number // 250}.{number % 250 + 1}"
        started = self.runner.start(pod, address) if self.runner else None
        # A start that fails is tried again at the next look.
        self.addresses[uid] = address
        if started:
            self.running[uid] = started
            self.report(path, uid, started.state() | {"address": address})
            return
        over = pod["spec"].get("restartPolicy") == "Never"
        self.report(path, uid, {"phase": "Succeeded" if over else "Running", "ready": not over, "address": address})

    def report(self, path, uid, state):
        """Writes a pod's state when it has changed: phase, readiness, and its address at the start."""
        seen = (state["phase"], state["ready"])
        # By uid: a StatefulSet or a test uses a name again.
        if self.reported.get(uid) == seen:
            return
        self.reported[uid] = seen
        truth = "True" if state["ready"] else "False"
        conditions = [
            {"type": kind, "status": "True" if kind in ("Initialized", "PodScheduled") else truth, "lastTransitionTime": now()}
            for kind in ("Initialized", "PodScheduled", "ContainersReady", "Ready")
        ]
        status = {"phase": state["phase"], "hostIP": "127.0.0.1", "startTime": now(), "conditions": conditions}
        if "address" in state:
            status |= {"podIP": state["address"], "podIPs": [{"ip": state["address"]}]}
        self.api.try_call("PATCH", f"{path}/status", {"status": status}, "application/merge-patch+json")

    def end(self, path, uid, meta):
        """Ends a pod once: hook, SIGTERM, grace period; then the object goes."""
        if uid in self.stopping:
            return
        self.stopping.add(uid)

        def ending():
            if uid in self.running:
                self.running.pop(uid).end(time.monotonic() + meta.get("deletionGracePeriodSeconds", 30))
            try:
                self.api.try_call("DELETE", path, {"gracePeriodSeconds": 0, "preconditions": {"uid": uid}})
            except OSError as error:
                # At the end of the script the API server goes before the last pods.
                if not self.stop.is_set():
                    print(f"kubelet: {error}")

        threading.Thread(target=ending, daemon=True).start()
