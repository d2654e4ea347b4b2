"""Checks OpenAPI documents, and exchanges of HTTP against the first document.

Reads {"documents": [...], "exchanges": [{"operation", "status", "request", "answer"}]} from standard input. An
absent request or answer is not checked. Prints each problem, and exits with 1 when there is one.
"""

import json
import sys

from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012


def operations(document):
    for methods in document["paths"].values():
        for operation in methods.values():
            yield operation["operationId"], operation


def validator(document, schema):
    resource = Resource(contents=document, specification=DRAFT202012)
    registry = Registry().with_resource("urn:document", resource)
    return OAS31Validator(absolute(schema), registry=registry)


def absolute(schema):
    """Returns the schema with references into the document, from wherever the schema is read."""
    if isinstance(schema, dict):
        return {k: "urn:document" + v if k == "$ref" else absolute(v) for k, v in schema.items()}
    return [absolute(item) for item in schema] if isinstance(schema, list) else schema


def of_exchange(document, operation, exchange):
    name = f"{exchange['operation']} {exchange['status']}"
    request, answer = exchange.get("request"), exchange.get("answer")
    if request is not None:
        content = operation["requestBody"]["content"]["application/json"]
        for error in validator(document, content["schema"]).iter_errors(request):
            yield f"{name}: request: {error.json_path}: {error.message}"
    described = operation["responses"].get(str(exchange["status"]))
    if described is None:
        yield f"{name}: the status is not described; answer: {answer}"
    elif answer is not None:
        schema = described.get("content", {}).get("application/json", {}).get("schema")
        if schema is None:
            yield f"{name}: no JSON is described; answer: {answer}"
            return
        for error in validator(document, schema).iter_errors(answer):
            yield f"{name}: answer: {error.json_path}: {error.message}"


def problems(given):
    for document in given["documents"]:
        for error in OpenAPIV31SpecValidator(document).iter_errors():
            yield f"document: {error.json_path}: {error.message}"
    document = given["documents"][0]
    known = dict(operations(document))
    for exchange in given["exchanges"]:
        if exchange["operation"] not in known:
            yield f"{exchange['operation']}: no such operation"
        else:
            yield from of_exchange(document, known[exchange["operation"]], exchange)


found = list(problems(json.load(sys.stdin)))
for problem in found:
    print(problem)
sys.exit(1 if found else 0)
