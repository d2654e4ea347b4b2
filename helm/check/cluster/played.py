"""The chart's processes without an API server: what it renders for a small cluster runs on loopback, and `helm test`'s pod sends messages.

  played.py PROGRAMS      PROGRAMS has barrage. Needs NATS, Redis, PostgreSQL, and a mount namespace (root).
"""

import base64
import pathlib
import secrets
import shutil
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import engine  # noqa: E402
import runner  # noqa: E402
import whole  # noqa: E402
from lifecycle import end_cleanly, expect, until  # noqa: E402
from servers import Servers  # noqa: E402


class Played:
    """Answers as the API server would, from the rendered objects, and has the pods of its workloads."""

    def __init__(self, rendered, material):
        self.rendered, self.material, self.pods = rendered, material, []
        self.clusters = {}

    def get(self, path):
        kind, name = path.split("/")[-2:]
        if kind == "configmaps":
            return self.rendered.named("ConfigMap", name)
        return {"data": {key: base64.b64encode(text.encode()).decode() for key, text in self.material[name].items()}}

    def items(self, path):
        if "/pods" in path:
            wanted = dict(pair.split("%3D") for pair in path.split("labelSelector=")[1].split("%2C"))
            return [pod.object() for pod in self.pods if wanted.items() <= pod.labels.items()]
        services = self.rendered.of("Service")
        for number, service in enumerate(services):
            service["spec"]["clusterIP"] = f"127.2.0.{number + 1}"
        return services


class Pod:
    """A pod with its process, as an object of the API."""

    def __init__(self, start, name, template, address):
        self.name, self.template, self.address = name, template, address
        self.labels = template["metadata"]["labels"]
        self.process = start({"metadata": {"name": name, "namespace": engine.NAMESPACE}, "spec": template["spec"]}, address)

    def object(self):
        ready = "True" if self.process.ready else "False"
        status = {"podIP": self.address, "conditions": [{"type": "Ready", "status": ready}]}
        return {"metadata": {"name": self.name}, "spec": self.template["spec"], "status": status}


class Site:
    """All pods of a small cluster with a fixed number of gateways."""

    def __init__(self, programs, folder, servers):
        chosen = whole.chosen(servers) | {"autoscaling": {"engine": "none"}}
        chosen["gateway"]["replicas"] = 2
        rendered = engine.Chart().render(chosen)
        self.api = Played(rendered, {"barrage-token": {"token.key": secrets.token_hex(32)}})
        self.services = runner.Services(self.api, engine.NAMESPACE)
        self.runner = runner.Runner(self, {"/usr/local/bin/barrage": programs / "barrage"}, folder, self.services)
        self.tests = 0
        for item in rendered.of("Deployment"):
            for number in range(item["spec"].get("replicas", 1)):
                self.add(f"{item['metadata']['name']}-{number}", item["spec"]["template"])
        for address, role in ((whole.ENTRY, "entry"), (whole.UPLINK, "uplink")):
            selector = {"app.kubernetes.io/component": role}
            self.services.listeners[address] = self.services.listen(address, selector, {"targetPort": 8080})
        self.test_pod = rendered.of("Pod")[0]

    def add(self, name, template):
        self.api.pods.append(Pod(self.runner.start, name, template, f"127.1.7.{len(self.api.pods) + 1}"))

    def is_ready(self):
        return all(pod.process.ready for pod in self.api.pods)

    def sends_messages(self):
        """Runs the pod of `helm test`. Returns whether it succeeded."""
        self.tests += 1
        pod = {"metadata": {"name": f"test-{self.tests}", "namespace": engine.NAMESPACE}, "spec": self.test_pod["spec"]}
        test = self.runner.start(pod, "127.1.8.1")
        until("the test pod has ended", lambda: test.state()["phase"] != "Running")
        if test.state()["phase"] == "Failed":
            print("          ", (test.place / "log").read_text().strip().splitlines()[-1][:150])
        return test.state()["phase"] == "Succeeded"

    def stop_one(self):
        """Ends a gateway as the kubelet does: hook, SIGTERM."""
        gateway = next(pod for pod in self.api.pods if "-gateway-" in pod.name)
        self.api.pods.remove(gateway)
        gateway.process.end(time.monotonic() + gateway.template["spec"]["terminationGracePeriodSeconds"])
        hook = (gateway.process.place / "hook").read_text().strip()
        expect(f"the hook moved the viewers ({hook.splitlines()[-1]}), and the process ended with 0", "drained" in hook and gateway.process.process.poll() == 0)

    def close(self):
        self.services.close()
        for pod in self.api.pods:
            pod.process.kill()


def main():
    reason = runner.is_possible()
    if reason:
        print(f"skipped: {reason}")
        return
    end_cleanly()
    began = time.monotonic()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="barrage-played-"))
    servers = Servers(folder)
    try:
        site = Site(pathlib.Path(sys.argv[1]).resolve(), folder / "pods", servers)
        try:
            until("every process that the chart starts is ready", site.is_ready)
            expect("helm test's pod sends messages end to end", site.sends_messages())
            servers.pause("nats")
            expect("it fails while NATS hangs", not site.sends_messages())
            servers.resume("nats")
            until("it succeeds again", site.sends_messages)
            site.stop_one()
            expect("messages pass through the other gateway", site.sends_messages())
        finally:
            site.close()
    finally:
        servers.close()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"the chart's processes: {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
