"""The Helm engine: loads the chart once, and renders it with values."""

import copy
import pathlib

import helm_python as helm
import yaml

import values

NAME, NAMESPACE = "live", "shows"
CI = values.CHART / "ci"


def merge(into, other):
    """Merges maps as Helm merges value files."""
    for key, value in other.items():
        into[key] = merge(into.get(key) or {}, value) if isinstance(value, dict) and isinstance(into.get(key), dict) else value
    return into


def value_sets():
    """Returns the value sets of `ci` by name."""
    return {path.name.removesuffix("-values.yaml"): yaml.safe_load(path.read_text()) or {} for path in sorted(CI.glob("*-values.yaml"))}


def with_changes(base, *changes):
    """Returns a value set with changes of the form `a.b=YAML`."""
    result = copy.deepcopy(base)
    for change in changes:
        path, text = change.split("=", 1)
        value = yaml.safe_load(text)
        for key in reversed(path.split(".")):
            value = {key: value}
        merge(result, value)
    return result


class Rendered:
    """Objects of one render, with the notes."""

    def __init__(self, texts):
        self.notes = "".join(text for path, text in texts.items() if path.endswith("NOTES.txt"))
        self.objects = []
        for path, text in sorted(texts.items()):
            if not path.endswith("NOTES.txt"):
                self.objects += [(path, item) for item in yaml.safe_load_all(text) if item]

    def of(self, *kinds):
        return [item for _, item in self.objects if item["kind"] in kinds]

    def named(self, kind, name):
        return next((item for item in self.of(kind) if item["metadata"]["name"] == name), None)

    def pods(self):
        """Returns the name and spec of each template of pods."""
        for item in self.of("Deployment", "StatefulSet", "Job"):
            yield item["metadata"]["name"], item["spec"]["template"]["spec"]
        for item in self.of("Pod"):
            yield item["metadata"]["name"], item["spec"]


class Chart:
    """The chart in this repository."""

    def __init__(self):
        self.chart = helm.Chart.load(str(values.CHART))
        self.crds = [yaml.safe_load(crd["data"]) for crd in self.chart.crds]

    def render(self, chosen, **options):
        """Renders; a wrong value or a guard raises `helm.HelmError`."""
        self.chart.validate_schema(chosen)
        return Rendered(self.chart.render(chosen, name=NAME, namespace=NAMESPACE, **options))

    @staticmethod
    def lint(chosen):
        """Returns the findings of `helm lint --strict`."""
        report = helm.lint(str(values.CHART), chosen, strict=True, namespace=NAMESPACE)
        return [f"{one['path']}: {one['error']}" for one in report["messages"] if one["severity"] >= 2]


def write_config(chosen, folder):
    """Writes the rendered ConfigMap of the configuration into a folder."""
    made = Chart().render(chosen).named("ConfigMap", f"{NAME}-barrage-config")
    for name, text in made["data"].items():
        pathlib.Path(folder, name).write_text(text)
