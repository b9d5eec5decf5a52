"""Builds the OpenAPI document: FastAPI's schemas of the models, and the rules that concern several fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from clustercontract.actions.config import ActionType
from clustercontract.algorithms import ALGORITHMS
from clustercontract.variants import Variants, required
from clustertrigger.api.schedule import SCHEDULES, TriggerType
from clustertrigger.api.status import RunStatus
from clustertrigger.api.trigger import DesiredStatus
from clustertrigger.rest import models
from clustertrigger.rest.actions import ACTIONS
from clustertrigger.rest.caller import PARAMETERS
from clustertrigger.rest.routes.unified import QUERIES

Schema = dict[str, Any]

_TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": "A Kubernetes token. Its permissions decide which requests succeed.",
}
_NULL = {"type": "null"}
_CREATES = {"/v1/clusters/triggers": "cluster", "/v1/triggers": "unified"}
_EXECUTION = {"collection_ids": ["col_abc123"], "config": {"algorithm": "kmeans", "n_clusters": 5}}
_BODIES: tuple[type[BaseModel], ...] = (
    models.CreateClusterTrigger,
    models.CreateUnifiedTrigger,
    models.ChangeTrigger,
    models.ChangeUnifiedTrigger,
    models.ListClusterTriggers,
    models.ListUnifiedTriggers,
    models.HistoryPage,
    *(action.config for action in ACTIONS.values()),
)
"""Models of requests. The routes parse them without FastAPI, so it does not find them."""
_ENUMS: Mapping[str, Any] = {
    "TriggerType": TriggerType,
    "TriggerStatus": DesiredStatus,
    "ActionType": ActionType,
    "RunStatus": RunStatus,
    "TaskStatus": models.TaskStatus,
    "SortKey": models.SortKey,
    "UnifiedSortKey": models.UnifiedSortKey,
    "Direction": models.Direction,
}
"""Enumerations with a separate schema, so that a generated client has one type for each, rather than one for each
field.
"""
EXAMPLES: dict[str, Schema] = {
    "cron": {
        "trigger_type": "cron",
        "schedule_config": {"cron_expression": "0 2 * * *", "timezone": "UTC"},
        "description": "Daily clustering at 2am",
    },
    "interval": {
        "trigger_type": "interval",
        "schedule_config": {"interval_seconds": 21600, "start_immediately": False},
        "description": "Cluster every 6 hours",
    },
    "event": {
        "trigger_type": "event",
        "schedule_config": {
            "event_type": "documents_added",
            "event_threshold": 100,
            "collection_id": "col_abc123",
            "cooldown_seconds": 300,
        },
        "description": "Cluster after 100 new documents",
    },
    "conditional": {
        "trigger_type": "conditional",
        "schedule_config": {
            "condition_type": "drift",
            "threshold": 0.3,
            "metric": "cosine_drift",
            "check_interval_seconds": 3600,
        },
        "description": "Re-cluster when drift > 30%",
    },
}
"""Example bodies without what is clustered, by trigger_type."""


def document_of(app: FastAPI) -> Schema:
    """Returns the document that describes the application."""
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, openapi_version="3.1.0"
    )
    schemas = document["components"]["schemas"]
    _, bodies = models_json_schema(
        [(model, "validation") for model in _BODIES], ref_template="#/components/schemas/{model}"
    )
    schemas.update(bodies["$defs"])
    document["components"]["securitySchemes"] = {"KubernetesToken": _TOKEN}
    document["security"] = [{"KubernetesToken": []}]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            query = QUERIES.get(operation["operationId"])
            own = [*operation.get("parameters", ()), *(_parameters(query) if query else ())]
            operation["parameters"] = [*own, *PARAMETERS]
        if path in _CREATES:
            _describe_create(operations["post"], path, document)
    _describe_bodies(schemas)
    names = {get_args(values): name for name, values in _ENUMS.items()}
    _name_enums(document, names)
    schemas.update({name: {"title": name, "type": "string", "enum": list(values)} for values, name in names.items()})
    return document


def _parameters(model: type[BaseModel]) -> Iterator[Schema]:
    """Returns the fields of a model as parameters of a query."""
    everywhere = {parameter["name"] for parameter in PARAMETERS}
    for name, field in model.model_json_schema()["properties"].items():
        if name not in everywhere:
            about, schema = field.pop("description", ""), _not_null(field)
            default = {"default": field["default"]} if field.get("default") is not None else {}
            yield {"name": name, "in": "query", "description": about, "schema": {**schema, **default}}


def _describe_create(operation: Schema, path: str, document: Schema) -> None:
    """Adds an example body for each kind of schedule, and the next possible operations on the new trigger."""
    work: Schema = {"execution_config": _EXECUTION}
    if _CREATES[path] == "unified":
        work = {"action_type": "cluster", "action_config": work}
    examples = {name: {"value": {**body, **work}} for name, body in EXAMPLES.items()}
    operation["requestBody"]["content"]["application/json"]["examples"] = examples
    links = {}
    for place, operations in document["paths"].items():
        if place.startswith(f"{path}/{{trigger_id}}"):
            for method, following in operations.items():
                name = f"{method}{place.removeprefix(path + '/{trigger_id}').replace('/', '_')}"
                links[name] = {
                    "operationId": following["operationId"],
                    "parameters": {"path.trigger_id": "$response.body#/trigger_id"},
                }
    operation["responses"]["200"]["links"] = links


def _describe_bodies(schemas: dict[str, Schema]) -> None:
    # Models that reject unknown keys are requests, and accept null for a missing optional field.
    for schema in schemas.values():
        if schema.get("additionalProperties") is False:
            for name, field in schema["properties"].items():
                if name not in schema.get("required", ()):
                    schema["properties"][name] = _or_null(field)
    schedule, clustering = schemas["ScheduleConfig"], schemas["ClusteringConfig"]
    schedule["properties"]["cron_expression"]["anyOf"][0]["format"] = "cron"
    schedule["properties"]["timezone"]["anyOf"][0]["format"] = "timezone"
    clustering["allOf"] = list(_when(ALGORITHMS, "algorithm", clustering["properties"]))
    schedules = list(_when(SCHEDULES, "trigger_type", schedule["properties"], "schedule_config"))
    schemas["CreateClusterTrigger"]["allOf"] = [*schedules, _either_of("cluster_id", "execution_config")]
    unified = schemas["CreateUnifiedTrigger"]
    unified["properties"]["action_config"] = {
        **{key: unified["properties"]["action_config"][key] for key in ("title", "description")},
        # A generated client takes the first model that an object matches, so that required fields distinguish them.
        "anyOf": [
            {"$ref": f"#/components/schemas/{config.__name__}"}
            for config in sorted((action.config for action in ACTIONS.values()), key=lambda one: -len(required(one)))
        ],
    }
    # A description explains which configuration belongs to which action_type; as rules, it would take thousands of
    # cases.
    unified["allOf"] = schedules
    schemas["ClusterAction"]["allOf"] = [_either_of("cluster_id", "execution_config")]


def _name_enums(place: Any, names: Mapping[tuple[str, ...], str]) -> None:
    """Replaces lists of an enumeration's values by references to its schema."""
    for inner in place.values() if isinstance(place, dict) else place if isinstance(place, list) else ():
        if isinstance(inner, dict) and inner.get("type") == "string":
            name = names.get(tuple(inner.get("enum", ())))
            if name is not None:
                del inner["type"], inner["enum"]
                inner["$ref"] = f"#/components/schemas/{name}"
        _name_enums(inner, names)


def _when(
    variants: Variants, discriminator: str, properties: Mapping[str, Schema], parent: str | None = None
) -> Iterator[Schema]:
    """Adds rules for each variant: its required fields are set, and those of other variants are not."""
    of_some = {name for model in variants.values() for name in model.model_fields}
    for value, model in variants.items():
        needed = [name for name in required(model) if name in properties and name != discriminator]
        own = {name: _not_null(properties[name]) for name in needed}
        strange = dict.fromkeys(sorted((of_some & properties.keys()) - model.model_fields.keys()), _NULL)
        rule: Schema = {"type": "object", "properties": {**own, **strange}, "required": needed}
        yield _if(discriminator, value, {parent: rule}) if parent else _then(discriminator, value, rule)


def _if(discriminator: str, value: str, properties: Schema) -> Schema:
    return _then(discriminator, value, {"type": "object", "properties": properties})


def _then(discriminator: str, value: str, rule: Schema) -> Schema:
    condition = {"type": "object", "properties": {discriminator: {"const": value}}, "required": [discriminator]}
    # The rule has no type, because generators would otherwise create a type without keys.
    return {"if": condition, "then": rule}


def _either_of(*names: str) -> Schema:
    """Returns the rule that at least one of these fields is set and not null."""
    return {"anyOf": [{"type": "object", "required": [name], "properties": {name: {"not": _NULL}}} for name in names]}


def _or_null(field: Schema) -> Schema:
    """Returns a schema for a value or null.

    The default belongs to the value, because generated types would otherwise require the field.
    """
    about = {key: value for key, value in field.items() if key in ("title", "description")}
    default = {"default": field["default"]} if field.get("default") is not None else {}
    value = {key: value for key, value in field.items() if key not in ("title", "description", "default", "anyOf")}
    first, *others = [option for option in field.get("anyOf", [value]) if option != _NULL]
    return {**about, "anyOf": [{**first, **default}, *others, _NULL]}


def _not_null(field: Schema) -> Schema:
    options = [option for option in field.get("anyOf", [field]) if option != _NULL]
    return options[0] if len(options) == 1 else {"anyOf": options}
