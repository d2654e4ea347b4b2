"""Schemas of the custom resources of others that the chart renders, as far as the chart uses them."""


def record(required, **properties):
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


def resource(spec):
    return {"type": "object", "required": ["metadata", "spec"], "properties": {"spec": spec}}


TEXT, COUNT = {"type": "string", "minLength": 1}, {"type": "integer", "minimum": 0}
LABELS = {"type": "object", "additionalProperties": {"type": "string"}}
ANY = {"type": "object"}

POD_MONITOR = resource(
    record(
        ["selector", "podMetricsEndpoints"],
        selector=record([], matchLabels=LABELS, matchExpressions={"type": "array"}),
        podMetricsEndpoints={
            "type": "array",
            "minItems": 1,
            "items": record(["port"], port=TEXT, path=TEXT, interval={"type": "string", "pattern": "^[0-9]+(ms|s|m)$"}, relabelings={"type": "array"}),
        },
    )
)

RULE = record(["expr"], record=TEXT, alert=TEXT, expr={"type": ["string", "integer"]}, labels=LABELS, annotations=LABELS, **{"for": TEXT, "keep_firing_for": TEXT})
PROMETHEUS_RULE = resource(
    record(
        [],
        groups={
            "type": ["array", "null"],
            "items": record(["name", "rules"], name=TEXT, interval=TEXT, rules={"type": "array", "minItems": 1, "items": RULE}),
        },
    )
)

SCALED_OBJECT = resource(
    record(
        ["scaleTargetRef", "triggers"],
        scaleTargetRef=record(["name"], apiVersion=TEXT, kind=TEXT, name=TEXT),
        minReplicaCount=COUNT,
        maxReplicaCount=COUNT,
        advanced=ANY,
        triggers={
            "type": "array",
            "minItems": 1,
            "items": record(["type", "metadata"], type=TEXT, metricType={"enum": ["AverageValue", "Value", "Utilization"]}, metadata=LABELS),
        },
    )
)

SCHEMAS = {
    ("monitoring.coreos.com/v1", "PodMonitor"): POD_MONITOR,
    ("monitoring.coreos.com/v1", "PrometheusRule"): PROMETHEUS_RULE,
    ("keda.sh/v1alpha1", "ScaledObject"): SCALED_OBJECT,
}
