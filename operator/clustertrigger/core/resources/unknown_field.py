"""Says which field was probably meant by one that does not exist."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from clustercontract.actions.config import ACTIONS
from clustertrigger.api.schedule import SCHEDULES
from clustertrigger.api.status import ClusterTriggerStatus
from clustertrigger.api.trigger import SHORT_FORM, ClusterTriggerSpec
from clustertrigger.core.resources.fields import joined, known_fields, places
from clustertrigger.core.spelling import folded, nearest

_OTHER_NAMES = {
    "activedeadlineseconds": "timeout_seconds",
    **dict.fromkeys(("backofflimit", "retry", "retrylimit", "maxretries", "attempts"), "retries"),
    **dict.fromkeys(("successfuljobshistorylimit", "failedjobshistorylimit"), "history_limit"),
    **dict.fromkeys(("maxfailures", "failurelimit"), "max_consecutive_failures"),
    "schedule": "cron_expression",
    "tz": "timezone",
    **dict.fromkeys(("k", "clustercount"), "n_clusters"),
    "epsilon": "eps",
    **dict.fromkeys(("minpts", "minpoints"), "min_samples"),
    "seed": "random_state",
    "cron": "cron_expression",
    "type": "trigger_type",
    "serviceaccount": "service_account_name",
    "op": "operator",
    **dict.fromkeys(("path", "url", "file"), "uri"),
    **dict.fromkeys(("claim", "claimname", "pvc", "persistentvolumeclaim"), "volume"),
    **dict.fromkeys(("idcolumn", "idfield"), "document_id_column"),
    **dict.fromkeys(("vectorfield", "vectorname", "embeddingcolumn", "embeddingfield"), "vector_column"),
    "textfield": "text_column",
    "must": "AND",
    "should": "OR",
    "mustnot": "NOT",
    **dict.fromkeys(("collection", "collections"), "collection_ids"),
    "outputs": "output_collection_ids",
    "outputcollectionids": "outputs",
    **dict.fromkeys(("queue", "localqueue"), "queue_name"),
    **dict.fromkeys(("webhook", "webhooks", "notification", "notifications", "onfailure"), "notify"),
}
"""What CronJobs, libraries for clustering and databases of vectors call a field, without _ and capitals, and what to
write instead.
"""
_METADATA = {
    **dict.fromkeys(("name", "triggername", "displayname", "title"), "name"),
    **{name: name for name in ("namespace", "labels", "annotations", "finalizers")},
}
"""What other programs have beside the fields of a spec, and the field of metadata."""
_GENERIC = frozenset(
    {
        *("data", "endpoint", "field", "file", "image", "kind", "name", "operator", "output", "path", "region"),
        *("secret", "secretname", "type", "uri", "url", "value", "volume"),
    }
)
"""Names that do not tell their place, without _ and capitals. `uri` of a trigger is hardly that of its results."""
_UNITS = ("seconds", "limit")
"""What a field's name ends with, and users leave out."""
_SWITCHES = {
    **{name: {True: "status: paused", False: "status: active"} for name in ("suspend", "suspended", "paused")},
    "enabled": {True: "status: active", False: "status: disabled"},
    "disabled": {True: "status: disabled", False: "status: active"},
}
"""What to write instead of a boolean that other programs have in place of a status."""
_FILTERS = "filters"
_FILTERS_ELSEWHERE = "unknown field: set filters in the Collection's source, or in a ClusterDefinition"
_OF_TYPES: Mapping[str, tuple[str, Mapping[str, type[BaseModel]]]] = {
    "schedule_config": ("trigger_type", SCHEDULES),
    "action_config": ("action_type", ACTIONS),
}
_WHAT_IS_CLUSTERED = (*SHORT_FORM, "action_config")


def remedy(
    name: str,
    value: object,
    path: Sequence[int | str],
    root: str,
    model: type[BaseModel] | None,
    whole: Mapping[str, Any],
) -> str:
    """Returns the message for a field that does not exist: a near name, or the field's place.

    Args:
        name: The field.
        value: Its value.
        path: Path of the object that it is in.
        root: Path of the model's object.
        model: The model.
        whole: The model's object as written.
    """
    known = known_fields(path, model)
    if name in ("true", "false"):
        return f"YAML reads a bare on, off, yes, no, y or n as a boolean: write one of {', '.join(known)}"
    if root == "spec" and not path:
        if (field := _METADATA.get(folded(name))) is not None:
            return f"unknown field: did you mean metadata.{field}?"
        # A single word, such as history, is more likely to be short for a setting.
        if model is ClusterTriggerSpec and "_" in name and name in ClusterTriggerStatus.__annotations__:
            return "belongs to the status, which the operator writes: remove it"
    found = sorted((place for place in places(model) if _can_be_set(place, whole)), key=len) if model else []
    if name == _FILTERS and model is ClusterTriggerSpec and not any(place[-1] == _FILTERS for place in found):
        return _FILTERS_ELSEWHERE
    above = [str(part) for part in path if isinstance(part, str)]
    of_type = [field for field in known if _is_of_type((*above, field), whole)]
    places_of_type = [place for place in found if _is_of_type(place, whole)]
    guess = _guess(name, value, above, root, of_type, places_of_type) or _guess(name, value, above, root, known, found)
    return "unknown field: " + (f"did you mean {guess}?" if guess else f"remove it, or use one of {', '.join(known)}")


def _guess(
    name: str,
    value: object,
    above: Sequence[str],
    root: str,
    known: Sequence[str],
    found: Sequence[tuple[str, ...]],
) -> str | None:
    written = folded(name)
    if "status" in known and (switch := _SWITCHES.get(written)) is not None:
        return switch[value] if isinstance(value, bool) else "status"
    if "status" in [place[0] for place in found] and written in _SWITCHES:
        return joined(root, ["status"])
    other = _OTHER_NAMES.get(written)
    if (near := other if other in known else _same(name, known) or _plural(other or name, known)) is not None:
        return near
    if written in _GENERIC:
        found = [place for place in found if place[0] == "source"]
    units = {written + unit for unit in _UNITS}
    return (
        _elsewhere([place for place in found if above and folded(place[-1]) == folded(above[-1]) + written], root)
        or _elsewhere([place for place in found if _is_split(place, written, above)], root)
        or _elsewhere([place for place in found if folded(place[-1]) == folded(other or name)], root)
        or _elsewhere([place for place in found if folded(place[-1]) == written], root)
        or (None if written in _GENERIC else nearest(name, known))
        or _elsewhere([place for place in found if folded(place[-1]) in units], root)
    )


def _can_be_set(place: tuple[str, ...], whole: Mapping[str, Any]) -> bool:
    """Returns whether a field can be set beside what is written: action_config excludes its short form."""
    if place[0] not in _WHAT_IS_CLUSTERED or whole.get(place[0]) is not None:
        return True
    others = SHORT_FORM if place[0] == "action_config" else ("action_config",)
    return all(whole.get(other) is None for other in others)


def _is_of_type(place: Sequence[str], whole: Mapping[str, Any]) -> bool:
    """Returns whether the trigger_type or the action_type that is written has a field; others have none of theirs."""
    if len(place) < 2 or place[0] not in _OF_TYPES:
        return True
    discriminator, models = _OF_TYPES[place[0]]
    model = models.get(str(whole.get(discriminator)))
    return model is None or place[1] in model.model_fields


def _is_split(place: tuple[str, ...], written: str, above: Sequence[str]) -> bool:
    """Returns whether a name is that of an object and of a field in it, such as check_timeout_seconds."""
    return list(place[:-2]) == list(above) and len(place) > 1 and folded(place[-2] + place[-1]) == written


def _same(name: str, known: Iterable[str]) -> str | None:
    """Returns the known name that this one is or begins, apart from its spelling."""
    near = nearest(name, known)
    if near is None or len(name) < 3 or not folded(near).startswith(folded(name)):
        return None
    more_words = near.count("_") - name.count("_")
    return None if folded(name) in _GENERIC and more_words > 1 else near


def _plural(name: str, known: Iterable[str]) -> str | None:
    """Returns the known name that differs in an s at its end only."""
    return next((other for other in known if folded(other).rstrip("s") == folded(name).rstrip("s")), None)


def _elsewhere(found: Sequence[tuple[str, ...]], root: str) -> str | None:
    """Returns one place or two as paths; of more, the first one if all others are deeper, and else None."""
    if len(found) > 2 and len(found[0]) < len(found[1]):
        found = found[:1]
    return " or ".join(joined(root, place) for place in found) if len(found) in (1, 2) else None
