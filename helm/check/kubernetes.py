"""Kubernetes' own schemas by version, from the package kubernetes_validate. Each schema is read once: its own function reads 3 MB a call."""

import functools
import json
import pathlib
import re

import jsonschema
import kubernetes_validate
from referencing import Registry, Resource

FOLDER = pathlib.Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"


@functools.cache
def registry(version):
    return Resource.from_contents(contents(version, "_definitions")) @ Registry()


def contents(version, name):
    return json.loads((FOLDER / f"v{version}.0-local-strict" / f"{name}.json").read_text())


@functools.cache
def validator(version, api_version, kind):
    group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
    schema = contents(version, f"{kind.lower()}-{group}")
    return jsonschema.Draft202012Validator(schema, registry=Resource.from_contents(schema) @ registry(version))


def mistakes(version, item):
    """Returns what this version of Kubernetes would refuse about an object. Unknown fields are mistakes."""
    try:
        schema = validator(version, item["apiVersion"], item["kind"])
    except FileNotFoundError:
        return [f"Kubernetes {version} does not know {item['apiVersion']} {item['kind']}"]
    return [f"Kubernetes {version}: {'.'.join(map(str, error.path))}: {error.message}" for error in schema.iter_errors(item)]
