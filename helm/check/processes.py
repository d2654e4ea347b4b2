"""Prints what each value set of `ci` starts, as JSON: the configuration file, and each process with its arguments and environment."""

import json
import re
import sys

import engine

# Sample values of what a cluster fills in.
FIELDS = {"metadata.name": "live-barrage-gateway-7d9f8b6c5-x2x4z", "status.podIP": "10.0.3.7", "status.hostIP": "203.0.113.9", "spec.nodeName": "node-7"}
SECRETS = {
    "NATS_URLS": "nats://barrage:p%2Cw@nats-1:4222,nats://barrage:p%2Cw@nats-2:4222",
    "BARRAGE_REDIS__URL": "redis://:password@redis:6379",
    "BARRAGE_POSTGRES__URL": "postgres://barrage:password@db/barrage?sslmode=verify-full",
    "POSTGRES_PASSWORD": "0123456789abcdef",
}


def environment(container, fields, secrets):
    """Returns the environment of a container as the kubelet makes it: `$(NAME)` is an earlier variable."""
    made = {}
    for one in container.get("env", []):
        if "value" in one:
            value = re.sub(r"\$\(([A-Za-z_0-9]+)\)", lambda match: made.get(match[1], match[0]), one["value"])
        elif "fieldRef" in one["valueFrom"]:
            value = fields[one["valueFrom"]["fieldRef"]["fieldPath"]]
        else:
            value = secrets(one)
        made[one["name"]] = value
    return made


def main():
    chart, sets = engine.Chart(), []
    for name, chosen in engine.value_sets().items():
        rendered = chart.render(chosen)
        config = next(item for item in rendered.of("ConfigMap") if item["metadata"]["name"].endswith("-config"))
        processes = []
        for pod, spec in rendered.pods():
            for container in spec["containers"]:
                if not container.get("command"):
                    continue
                hook = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", [])
                processes.append(
                    {
                        "pod": pod,
                        "command": container["command"] + container.get("args", []),
                        "hook": hook,
                        "env": environment(container, FIELDS, lambda one: SECRETS[one["name"]]),
                    }
                )
        sets.append({"set": name, "files": config["data"], "processes": processes, "roles": rendered.of("Role"), "fleets": rendered.of("FleetAutoscaler")})
    json.dump(sets, sys.stdout)


if __name__ == "__main__":
    main()
