"""A control plane on loopback: etcd, kube-apiserver and kube-controller-manager from the folder that KUBE_BIN names."""

import json
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

import values
import yaml
from api import Api

TOKENS = "admin-token,admin,admin,system:masters\n"
CONTROLLERS = (
    "deployment,replicaset,statefulset,job,horizontalpodautoscaling,disruption,garbagecollector,namespace,serviceaccount,serviceaccount-token,root-ca-cert-publisher"
)
# Cluster addresses of Services are on loopback, so that processes of this machine reach them.
SERVICES = "127.2.0.0/16"
START_SECS = 180
# First minor version whose schemas of custom resources have rules in CEL.
RULES_MINOR = 25


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def without_rules(schema):
    """Returns a schema of custom resources without its rules in CEL."""
    if isinstance(schema, list):
        return [without_rules(one) for one in schema]
    if isinstance(schema, dict):
        return {key: without_rules(one) for key, one in schema.items() if key != "x-kubernetes-validations"}
    return schema


class Plane:
    """Ends its processes when it is closed."""

    def __init__(self, bin_folder):
        self.bin = pathlib.Path(bin_folder)
        self.kept = tempfile.TemporaryDirectory(prefix="barrage-plane-")
        self.folder = pathlib.Path(self.kept.name)
        self.port, self.processes = free_port(), []
        self.url = f"https://127.0.0.1:{self.port}"
        self.kubeconfig = self.write_kubeconfig("admin-token", "kubeconfig")
        self.api = Api(self.url, "admin-token")
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.terminate()
        for process in reversed(self.processes):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        self.kept.cleanup()

    def write_kubeconfig(self, token, name):
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": self.url, "insecure-skip-tls-verify": True}}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        }
        path = self.folder / name
        path.write_text(json.dumps(config))
        path.chmod(0o600)
        return path

    def spawn(self, program, *arguments):
        log = open(self.folder / f"{program}.log", "w")
        self.processes.append(subprocess.Popen([self.bin / program, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def start(self):
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        (self.folder / "tokens.csv").write_text(TOKENS)
        self.spawn(
            "etcd",
            "--name=n",
            f"--data-dir={self.folder}/etcd",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=n={peer}",
        )
        # The server makes this key pair by itself; the key signs service accounts, too.
        key, certificate = f"{self.folder}/pki/apiserver.key", f"{self.folder}/pki/apiserver.crt"
        self.spawn(
            "kube-apiserver",
            f"--etcd-servers={client}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--cert-dir={self.folder}/pki",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--service-cluster-ip-range={SERVICES}",
            "--authorization-mode=RBAC",
            f"--token-auth-file={self.folder}/tokens.csv",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-signing-key-file={key}",
            f"--service-account-key-file={key}",
        )
        self.wait_until_ready()
        old = "--port int" in subprocess.run([self.bin / "kube-controller-manager", "--help"], capture_output=True, text=True).stdout
        self.spawn(
            "kube-controller-manager",
            f"--kubeconfig={self.kubeconfig}",
            "--bind-address=127.0.0.1",
            f"--secure-port={free_port()}",
            "--leader-elect=false",
            f"--controllers={CONTROLLERS}",
            f"--service-account-private-key-file={key}",
            f"--root-ca-file={certificate}",
            "--horizontal-pod-autoscaler-sync-period=2s",
            # An old controller manager also opens a plain port.
            *(["--port=0"] if old else []),
        )

    def chart(self):
        """Returns the chart as this server takes it. Helm 4 applies CRDs on the server, and a server before 1.25 refuses the rules in CEL, which
        `kubectl create` and Helm 3 leave out there.
        """
        if int(json.loads(self.api.text("/version"))["minor"].rstrip("+")) >= RULES_MINOR:
            return str(values.CHART)
        copy = self.folder / "chart"
        if not copy.exists():
            shutil.copytree(values.CHART, copy)
            for file in (copy / "crds").glob("*.yaml"):
                file.write_text(yaml.safe_dump(without_rules(yaml.safe_load(file.read_text()))))
        return str(copy)

    def wait_until_ready(self):
        began = time.monotonic()
        while time.monotonic() - began < START_SECS:
            try:
                if self.api.text("/readyz") == "ok":
                    return
            except OSError:
                pass
            time.sleep(0.1)
        log = (self.folder / "kube-apiserver.log").read_text()[-2000:]
        raise SystemExit(f"no API server within {START_SECS} s: {log}")
