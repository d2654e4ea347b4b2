"""Reads values.yaml with its comments: the source of the schema and of the README's table."""

import json
import pathlib
import re

import yaml

CHART = pathlib.Path(__file__).resolve().parent.parent / "barrage"
LINE = re.compile(r"^( *)([A-Za-z][A-Za-z0-9]*):(?: (.*))?$")

# Schemas that several values share: `# @schema {"$ref": "ports"}`.
SHARED = {
    "addresses": {
        "type": "array",
        "maxItems": 8,
        "items": {"type": "string", "pattern": "^([0-9a-fA-F.:]+|\\{(node|pod)_ip\\})$"},
    },
    "any": {"type": "object", "additionalProperties": True},
    "ports": {
        "type": "array",
        "minItems": 1,
        "maxItems": 16,
        "items": {
            "type": "object",
            "additionalProperties": False,
            "required": ["name", "port", "containerPort"],
            "properties": {
                "name": {"type": "string", "pattern": "^[a-z][a-z0-9-]{0,14}$"},
                "port": {"type": "integer", "minimum": 1, "maximum": 65535},
                "containerPort": {"type": "integer", "minimum": 1024, "maximum": 65535},
            },
        },
    },
}


class Value:
    """One value: its path, default, comment, and the schema that its comment adds."""

    def __init__(self, path, default, text, schema):
        self.path, self.default, self.text, self.schema = path, default, text, schema

    @property
    def is_table(self):
        return isinstance(self.default, dict) and self.schema is None


def read():
    """Returns all values of values.yaml in order. Each has a comment; a table's keys follow it."""
    text = (CHART / "values.yaml").read_text()
    defaults = yaml.safe_load(text)
    found, stack, comment, schema, skipped = [], [], [], None, None
    for number, line in enumerate(text.splitlines(), 1):
        indent = len(line) - len(line.lstrip())
        if not line.strip():
            comment, schema = [], None
            continue
        if skipped is not None and indent > skipped:
            continue
        skipped = None
        if line.lstrip().startswith("#"):
            body = line.lstrip()[1:].strip()
            if body.startswith("@schema"):
                schema = json.loads(body.removeprefix("@schema"))
            else:
                comment.append(body)
            continue
        match = LINE.match(line)
        if not match:
            raise SystemExit(f"values.yaml:{number}: neither a key nor a comment: {line}")
        stack = stack[: indent // 2] + [match[2]]
        default = defaults
        for key in stack:
            default = default[key]
        if not comment:
            raise SystemExit(f"values.yaml:{number}: {'.'.join(stack)} has no comment")
        value = Value(".".join(stack), default, " ".join(comment), schema)
        if not value.is_table:
            skipped = indent
        found.append(value)
        comment, schema = [], None
    return found


def schema():
    """Returns the schema of the values, draft 7."""
    root = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart barrage",
        "type": "object",
        "additionalProperties": False,
        "properties": {"global": {"type": "object", "description": "Values that all charts of a release share; unused."}},
        "definitions": SHARED,
    }
    for value in read():
        *parents, key = value.path.split(".")
        table = root
        for parent in parents:
            table = table["properties"][parent]
        table["properties"][key] = one(value)
    return root


def one(value):
    if value.is_table:
        return {"type": "object", "description": value.text, "additionalProperties": False, "properties": {}}
    extra = dict(value.schema or {})
    if "$ref" in extra:
        return {"description": value.text, "allOf": [{"$ref": f"#/definitions/{extra['$ref']}"}]}
    result = {"description": value.text, "default": value.default}
    if "enum" not in extra and "type" not in extra:
        kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
        result["type"] = kinds[type(value.default)]
    return result | extra


def kind(value):
    """Returns the type of a value in words, for the table."""
    extra = value.schema or {}
    if "enum" in extra:
        return ", ".join(f"`{choice}`" if choice != "" else "empty" for choice in extra["enum"])
    if extra.get("$ref") in ("ports", "addresses"):
        return f"list of {extra['$ref']}"
    if extra.get("$ref") == "any":
        return "map"
    of = extra.get("type") or {bool: "boolean", int: "integer", float: "number", str: "text", list: "list", dict: "map"}[type(value.default)]
    return " or ".join(of) if isinstance(of, list) else of


def table():
    """Returns the README's table of values."""
    rows = ["| value | type | default | meaning |", "| --- | --- | --- | --- |"]
    for value in read():
        text = value.text.replace("|", "\\|")
        if value.is_table:
            rows.append(f"| **{value.path}** | | | {text} |")
        else:
            rows.append(f"| `{value.path}` | {kind(value)} | `{json.dumps(value.default)}` | {text} |")
    return "\n".join(rows) + "\n"
