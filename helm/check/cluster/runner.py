"""Starts the real command of each container as a process on loopback, as a kubelet does: environment, files, probes, hook, signals.

A pod's address (127.1.x.y) takes the place of a network namespace: `0.0.0.0` in arguments and configuration becomes the address. The files
of its volumes are in a temporary folder, whose path takes the place of the mount path. Service names lead to cluster addresses, which
`Services` forwards; the process sees them in its own /etc/hosts, in a mount namespace of its own. That needs root.
"""

import base64
import pathlib
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

from processes import environment

HOSTS = "mount --bind \"$0\" /etc/hosts && exec \"$@\""


class Runner:
    """Knows the programs by their paths in the image. A container without one of these is ready at once."""

    def __init__(self, plane, programs, folder, services):
        self.plane, self.api, self.programs, self.services = plane, plane.api, programs, services
        self.folder = pathlib.Path(folder)

    def start(self, pod, address):
        container = pod["spec"]["containers"][0]
        if container.get("command", [None])[0] not in self.programs:
            return None
        return Process(self, pod, container, address)

    def files(self, namespace, volume, place):
        """Writes the files of a volume."""
        place.mkdir(parents=True, exist_ok=True)
        core = f"/api/v1/namespaces/{namespace}"
        if "configMap" in volume:
            data = self.api.get(f"{core}/configmaps/{volume['configMap']['name']}")["data"]
            for name, text in data.items():
                (place / name).write_text(text)
        elif "secret" in volume:
            data = self.api.get(f"{core}/secrets/{volume['secret']['secretName']}")["data"]
            for name, text in data.items():
                (place / name).write_bytes(base64.b64decode(text))
                (place / name).chmod(0o600)

    def secret(self, namespace, reference):
        one = reference["valueFrom"]["secretKeyRef"]
        data = self.api.get(f"/api/v1/namespaces/{namespace}/secrets/{one['name']}")["data"]
        return base64.b64decode(data[one["key"]]).decode()

    def account(self, namespace, name):
        """Returns a kubeconfig with a token of a service account, in place of the pod's mounted one."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 7200}}
        token = self.api.create(path, body)["status"]["token"]
        return self.plane.write_kubeconfig(token, f"account-{name}")


class Process:
    """One container's process, with its probes."""

    def __init__(self, runner, pod, container, address):
        self.runner, self.container, self.address = runner, container, address
        self.name, self.namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        self.once = pod["spec"].get("restartPolicy") == "Never"
        self.place = runner.folder / self.name
        self.paths, self.restarts = {}, 0
        self.prepare(pod)
        self.log = open(self.place / "log", "w")
        self.started = self.ready = False
        self.process = None
        self.spawn()
        self.stopped = threading.Event()
        threading.Thread(target=self.watch, daemon=True).start()

    def prepare(self, pod):
        volumes = {one["name"]: one for one in pod["spec"].get("volumes", [])}
        for mount in self.container.get("volumeMounts", []):
            place = self.place / mount["name"]
            self.runner.files(self.namespace, volumes.get(mount["name"], {}), place)
            self.paths[mount["mountPath"]] = str(place)
        # Longest first: a mount may be inside of another one's path.
        self.paths = dict(sorted(self.paths.items(), key=lambda pair: -len(pair[0])))
        for config in self.place.glob("config/*.toml"):
            config.write_text(self.own(config.read_text()))
        fields = {
            "metadata.name": self.name,
            "status.podIP": self.address,
            "status.hostIP": "127.0.0.1",
            "spec.nodeName": pod["spec"].get("nodeName", ""),
        }
        made = environment(self.container, fields, lambda one: self.runner.secret(self.namespace, one))
        self.env = {name: self.own(value) for name, value in made.items()} | {"PATH": "/usr/bin:/bin", "HOSTNAME": self.name}
        if pod["spec"].get("automountServiceAccountToken"):
            self.env["KUBECONFIG"] = str(self.runner.account(self.namespace, pod["spec"]["serviceAccountName"]))
        if "autoscaler" in self.container["command"][0]:
            self.env["HOSTNAME"] = self.name

    def own(self, text):
        for path, place in self.paths.items():
            text = text.replace(path, place)
        return text.replace("0.0.0.0", self.address)

    def command(self, words):
        program = self.runner.programs[words[0]]
        hosts = self.runner.services.hosts(self.place / "hosts")
        return ["unshare", "--mount", "sh", "-c", HOSTS, str(hosts), str(program), *map(self.own, words[1:])]

    def spawn(self):
        words = self.container["command"] + self.container.get("args", [])
        self.process = subprocess.Popen(
            self.command(words), env=self.env, cwd=self.place, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True
        )

    def probe(self, kind):
        """Asks a probe's path once."""
        probe = self.container.get(kind, {}).get("httpGet")
        if not probe:
            return True
        port = next(one["containerPort"] for one in self.container["ports"] if one["name"] == probe["port"])
        try:
            with urllib.request.urlopen(f"http://{self.address}:{port}{probe['path']}", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def watch(self):
        """Probes once a second: startup until it succeeds, then readiness and liveness; starts an ended process again."""
        misses = 0
        while not self.stopped.wait(1):
            if self.process.poll() is not None:
                if self.once:
                    return
                self.started = self.ready = False
                self.restarts += 1
                self.spawn()
                continue
            self.started = self.started or self.probe("startupProbe")
            self.ready = self.started and self.probe("readinessProbe")
            misses = 0 if not self.started or self.probe("livenessProbe") else misses + 1
            if misses >= 3:
                self.process.kill()

    def state(self):
        code = self.process.poll()
        if self.once and code is not None:
            return {"phase": "Failed" if code else "Succeeded", "ready": False}
        return {"phase": "Running", "ready": self.ready}

    def end(self, deadline):
        """Runs the hook, sends SIGTERM, and SIGKILL at the deadline."""
        self.stopped.set()
        hook = self.container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command")
        if hook and self.process.poll() is None:
            try:
                with open(self.place / "hook", "w") as log:
                    subprocess.run(self.command(hook), env=self.env, cwd=self.place, stdout=log, stderr=log, timeout=max(deadline - time.monotonic(), 1))
            except subprocess.TimeoutExpired:
                pass
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(max(deadline - time.monotonic(), 1))
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self):
        self.stopped.set()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Services:
    """Forwards cluster addresses of Services to ready pods, connection by connection, and names them in a hosts file."""

    def __init__(self, api, namespace):
        self.api, self.namespace, self.listeners = api, namespace, {}
        self.text, self.lock = "127.0.0.1 localhost\n", threading.Lock()
        self.stopped = threading.Event()
        threading.Thread(target=self.work, daemon=True).start()

    def close(self):
        self.stopped.set()
        for listener in self.listeners.values():
            listener.close()

    def hosts(self, path):
        """Writes the names of all Services that there are now."""
        self.look()
        path.write_text(self.text)
        return path

    def work(self):
        while not self.stopped.wait(0.5):
            try:
                self.look()
            except (OSError, urllib.error.URLError) as error:
                print(f"services: {error}")

    def look(self):
        with self.lock:
            self.listen_to_all()

    def listen_to_all(self):
        lines = ["127.0.0.1 localhost"]
        for service in self.api.items(f"/api/v1/namespaces/{self.namespace}/services"):
            spec, name = service["spec"], service["metadata"]["name"]
            if spec.get("clusterIP") in (None, "None"):
                continue
            lines.append(f"{spec['clusterIP']} {name} {name}.{self.namespace}")
            for port in spec["ports"]:
                key = (spec["clusterIP"], port["port"])
                if key not in self.listeners:
                    self.listeners[key] = self.listen(key, spec["selector"], port)
        self.text = "\n".join(lines) + "\n"

    def listen(self, key, selector, port):
        listener = socket.create_server(key)
        threading.Thread(target=self.accept, args=(listener, selector, port), daemon=True).start()
        return listener

    def accept(self, listener, selector, port):
        while not self.stopped.is_set():
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.forward, args=(client, selector, port), daemon=True).start()

    def targets(self, selector, port):
        """Returns the addresses of the ready pods behind a Service."""
        labels = "%2C".join(f"{key}%3D{value}" for key, value in selector.items())
        found = []
        for pod in self.api.items(f"/api/v1/namespaces/{self.namespace}/pods?labelSelector={labels}"):
            ready = any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", []))
            if not ready or pod["metadata"].get("deletionTimestamp"):
                continue
            for one in pod["spec"]["containers"][0]["ports"]:
                if port["targetPort"] in (one.get("name"), one["containerPort"]):
                    found.append((pod["status"]["podIP"], one["containerPort"]))
        return found

    def forward(self, client, selector, port):
        targets = self.targets(selector, port)
        try:
            server = socket.create_connection(targets[time.monotonic_ns() % len(targets)], timeout=5)
        except (OSError, ZeroDivisionError):
            client.close()
            return
        server.settimeout(None)
        for one, other in ((client, server), (server, client)):
            threading.Thread(target=self.copy, args=(one, other), daemon=True).start()

    @staticmethod
    def copy(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            source.close()
            sink.close()


def is_possible():
    """Returns the reason why processes cannot be started here; none when they can."""
    if shutil.which("unshare") is None:
        return "unshare is not installed"
    test = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True)
    return f"no mount namespace: {test.stderr.strip()}" if test.returncode else None
