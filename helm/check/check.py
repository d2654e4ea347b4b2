"""Checks of the chart: generated files, lint, renders, validity for several Kubernetes versions, wrong values, guards, policy.

  check.py [--write] [--print SET]      run by `cargo xtask chart`
"""

import argparse
import copy
import json
import sys
import time

import jsonschema
import yaml

import cases
import custom
import engine
import generate
import kubernetes
import policy

KUBERNETES = ("1.29", "1.33", "1.37")


def invalid(rendered, crds, valid):
    """Returns the objects that a Kubernetes version would refuse."""
    own = {
        (f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"]): version["schema"]["openAPIV3Schema"]
        for crd in crds
        for version in crd["spec"]["versions"]
    }
    found = []
    for path, item in rendered.objects:
        # Most value sets have most objects in common.
        text = json.dumps(item, sort_keys=True)
        if text in valid:
            continue
        kind = (item.get("apiVersion"), item.get("kind"))
        schema = own.get(kind) or custom.SCHEMAS.get(kind)
        if schema:
            mistakes = [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(item)]
        else:
            mistakes = [mistake for version in KUBERNETES for mistake in kubernetes.mistakes(version, item)]
        found += [f"{path}: {kind[1]} {item['metadata']['name']}: {mistake}" for mistake in mistakes]
        if not mistakes:
            valid.add(text)
    return found


def sets(chart):
    """Lints, renders and validates each value set of `ci`. Returns the findings and the number of objects."""
    findings, objects, valid = [], 0, set()
    for crd in chart.crds:
        for version in KUBERNETES:
            findings += [f"crds: {mistake}" for mistake in kubernetes.mistakes(version, crd)]
    for name, chosen in engine.value_sets().items():
        findings += [f"{name}: lint: {one}" for one in chart.lint(chosen)]
        rendered = chart.render(chosen)
        objects += len(rendered.objects)
        findings += [f"{name}: {one}" for one in invalid(rendered, chart.crds, valid)]
        findings += [f"{name}: policy: {one}" for one in policy.findings(rendered)]
    return findings, objects


# Plants in the value set `cluster`: each must be found. Paths lead to a field, with the value that it gets.
PLANTS = [
    ("Deployment", "spec.template.spec.colour", "red"),
    ("Deployment", "spec.replicas", "three"),
    ("Deployment", "spec.template.spec.securityContext.runAsNonRoot", False),
    ("Deployment", "spec.template.spec.securityContext.seccompProfile", {"type": "Unconfined"}),
    ("Deployment", "spec.template.spec.automountServiceAccountToken", True),
    ("Deployment", "spec.template.spec.containers.0.securityContext.readOnlyRootFilesystem", False),
    ("Deployment", "spec.template.spec.containers.0.securityContext.capabilities", {"drop": ["ALL"], "add": ["NET_ADMIN"]}),
    ("Deployment", "spec.template.spec.containers.0.livenessProbe.httpGet.path", "/readyz"),
    ("Deployment", "spec.template.spec.volumes", []),
    ("PodDisruptionBudget", "metadata.name", "another"),
    ("ConfigMap", "kind", "Secret"),
]


def blind(chart):
    """Returns the plants that no check finds."""
    for kind, path, value in PLANTS:
        rendered = copy.deepcopy(chart.render(engine.value_sets()["cluster"]))
        place = rendered.of(kind)[0]
        *steps, last = path.split(".")
        for step in steps:
            place = place[int(step)] if step.isdigit() else place[step]
        place[last] = value
        if not invalid(rendered, chart.crds, set()) and not policy.findings(rendered):
            yield f"no check finds {path} = {value} in a {kind}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true", help="write the generated files")
    parser.add_argument("--print", metavar="SET", help="print the objects of a value set of helm/barrage/ci")
    arguments = parser.parse_args()
    if arguments.write:
        generate.write()
    chart = engine.Chart()
    if arguments.print:
        rendered = chart.render(engine.value_sets()[arguments.print])
        print("---\n".join(yaml.safe_dump(item, sort_keys=False) for _, item in rendered.objects), end="")
        return 0
    began = time.monotonic()
    findings = [f"{path} is not what values.yaml makes it; run `cargo xtask chart --write`" for path in generate.stale()]
    found, objects = sets(chart)
    findings += found + cases.findings(chart) + list(blind(chart))
    for finding in findings:
        print(finding, file=sys.stderr)
    secs = time.monotonic() - began
    print(
        f"chart: {len(engine.value_sets())} value sets, {objects} objects for Kubernetes {', '.join(KUBERNETES)}, "
        f"{cases.count()} wrong values and guards: {len(findings)} findings, {secs:.1f} s"
    )
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
