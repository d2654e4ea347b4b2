"""A real Prometheus that scrapes the pods' processes, and the queries of the chart's dashboards against it."""

import json
import pathlib
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import values
from plane import free_port
from servers import answers

# What Grafana fills in.
VARIABLES = {"$__rate_interval": "20s", "$__interval": "5s", "$__range": "5m", "$cluster": ".*", "$namespace": ".*", "$instance": ".*"}
SCRAPE_SECS = 2


class Prometheus:
    """Ends its server when it is closed. Its targets are the processes that the kubelet has started."""

    def __init__(self, folder, kubelet):
        self.kubelet, self.began = kubelet, time.time()
        self.targets, self.port = pathlib.Path(folder) / "targets.json", free_port()
        self.write_targets()
        config = {
            "global": {"scrape_interval": f"{SCRAPE_SECS}s", "evaluation_interval": f"{SCRAPE_SECS}s"},
            "rule_files": [str(values.CHART / "files" / "rules" / "barrage.yaml")],
            "scrape_configs": [{"job_name": "barrage", "file_sd_configs": [{"files": [str(self.targets)], "refresh_interval": "1s"}]}],
        }
        file = pathlib.Path(folder) / "prometheus.json"
        file.write_text(json.dumps(config))
        words = ["prometheus", f"--config.file={file}", f"--storage.tsdb.path={folder}/prometheus", f"--web.listen-address=127.0.0.1:{self.port}"]
        log = open(pathlib.Path(folder) / "prometheus.log", "w")
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        answers(self.port)
        self.stopped = threading.Event()
        threading.Thread(target=self.follow, daemon=True).start()

    def close(self):
        self.stopped.set()
        self.process.terminate()
        self.process.wait(30)

    def follow(self):
        while not self.stopped.wait(1):
            self.write_targets()

    def write_targets(self):
        """Writes the admin listeners of all processes, as a PodMonitor finds them."""
        found = [
            {"targets": [f"{one.address}:8081"], "labels": {"cluster": "test", "namespace": one.namespace, "pod": one.name}}
            for one in list(self.kubelet.running.values())
            if not one.once
        ]
        new = self.targets.with_suffix(".new")
        new.write_text(json.dumps(found))
        new.rename(self.targets)

    def ask(self, expr):
        """Returns the series of a query over the whole time, each as a list of values."""
        parameters = {"query": expr, "start": self.began, "end": time.time(), "step": SCRAPE_SECS}
        url = f"http://127.0.0.1:{self.port}/api/v1/query_range?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                found = json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            raise SystemExit(f"Prometheus refuses {expr}: {error.read().decode()[:500]}") from error
        return [[float(value) for _, value in series["values"]] for series in found]

    def panel(self, board, title):
        """Returns the series of all queries of a panel."""
        exprs = [expr for one, expr in queries(board) if one == title]
        assert exprs, f"{board} has no panel {title}"
        return [series for expr in exprs for series in self.ask(expr)]

    def empty_panels(self, board):
        """Returns the titles of a dashboard's panels, and of those that no query of theirs answers."""
        panels = {}
        for title, expr in queries(board):
            panels[title] = panels.get(title) or bool(self.ask(expr))
        return list(panels), [title for title, has_data in panels.items() if not has_data]


def queries(board):
    """Yields title and expression of each query of a dashboard in the chart."""
    text = (values.CHART / "files" / "dashboards" / f"barrage-{board}.json").read_text()
    for panel in json.loads(text)["panels"]:
        for target in panel.get("targets", []):
            expr = target["expr"]
            for name, value in VARIABLES.items():
                expr = expr.replace(name, value)
            yield panel["title"], expr


def is_possible():
    """Returns the reason why no Prometheus can be started here; none when one can."""
    return None if shutil.which("prometheus") else "prometheus is not installed (Debian: prometheus)"
