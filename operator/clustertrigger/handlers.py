"""Contains Kopf's handlers, which receive all watch events of the cluster.

They store the objects and decide nothing. A changed object enqueues the keys of the triggers that depend on it; see
`shell.observed`. Design record: docs/design/kopf.md.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import kopf

from clustertrigger.api import GROUP, VERSION
from clustertrigger.api.conditions import Reason
from clustertrigger.core.actions.registry import resolve
from clustertrigger.core.notifications.permissions import Permissions, problems_in
from clustertrigger.core.resources.catalog import REFERENTS, Catalog, Unresolved
from clustertrigger.core.resources.permitted import Permitted
from clustertrigger.core.resources.trigger import Key
from clustertrigger.core.resources.validation import Problem, all_of, parse_trigger, warnings_of
from clustertrigger.shell.observed.kinds import Kind, Kinds

logger = logging.getLogger(__name__)


def register_watches(registry: kopf.OperatorRegistry, kinds: Kinds) -> None:
    """Registers the kinds that Kopf watches. The API server selects Jobs and Pods by the labels in Kopf's settings.

    Args:
        registry: Kopf's registry.
        kinds: Kinds, whose stores receive the observed objects.
    """

    @kopf.on.event(GROUP, VERSION, "clustertriggers", registry=registry)
    async def clustertrigger(event: kopf.RawEvent, **_: Any) -> None:
        _tell(kinds.triggers, event)

    for kind in kinds.referents:

        @kopf.on.event(GROUP, VERSION, kind.plural, id=kind.plural, param=kind, registry=registry)
        async def referent(event: kopf.RawEvent, param: Any = None, **_: Any) -> None:
            _tell(param, event)

    @kopf.on.event("batch", "v1", "jobs", registry=registry)
    async def job(event: kopf.RawEvent, **_: Any) -> None:
        _tell(kinds.jobs, event)

    @kopf.on.event("", "v1", "pods", registry=registry)
    async def pod(event: kopf.RawEvent, **_: Any) -> None:
        _tell(kinds.pods, event)

    @kopf.on.event("", "v1", "podtemplates", registry=registry)
    async def podtemplate(event: kopf.RawEvent, **_: Any) -> None:
        _tell(kinds.pod_templates, event)


def _tell(kind: Kind, event: kopf.RawEvent) -> None:
    if event["type"] == "DELETED":
        kind.gone(event["object"])
    else:
        kind.saw(event["object"])


def register_login(registry: kopf.OperatorRegistry, connect: Callable[[], Awaitable[kopf.AiohttpSession]]) -> None:
    """Registers how Kopf connects to the API server."""

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.AiohttpSession:
        return await connect()


def register_startup(registry: kopf.OperatorRegistry, started: str) -> None:
    """Registers the log lines for the start of Kopf."""

    @kopf.on.startup(registry=registry)
    async def startup(**_: Any) -> None:
        logger.info("%s", started)


def register_webhooks(
    registry: kopf.OperatorRegistry,
    catalog: Catalog,
    permitted: Permitted,
    permissions: Permissions,
    created: Callable[[Key, str, str], None],
) -> None:
    """Registers the admission handlers, which report invalid objects at `kubectl apply`, before the conditions do.

    Args:
        registry: Kopf's registry.
        catalog: The objects that IDs refer to. An unknown ID causes a warning, not an error, because its object can be
        applied next.
        permitted: What the operator's settings permit.
        permissions: Which notifications may be sent, and where to.
        created: Called for each trigger whose creation was admitted, with its key, its uid and the user's name.
    """

    @kopf.on.validate(GROUP, VERSION, "clustertriggers", id="validate-clustertrigger", registry=registry)
    async def clustertrigger(spec: kopf.Spec, warnings: list[str], **call: Any) -> None:
        parsed, problems = parse_trigger(spec, permitted)
        if parsed:
            problems = problems_in(parsed.run.notify, call["namespace"], permissions)
        _refuse(call, problems)
        found = resolve(catalog, call["namespace"], parsed) if parsed and not _is_on_its_way_out(call) else None
        if isinstance(found, Unresolved):
            if found.reason in (Reason.OUTPUT_NOT_WRITABLE, Reason.CHAIN_LOOP):
                raise kopf.AdmissionError(found.message, code=422)
            warnings.append(found.message)
        if parsed and not _is_on_its_way_out(call):
            warnings.extend(map(str, warnings_of(parsed)))
        if call.get("operation") == "CREATE" and not call["dryrun"] and call["namespace"]:
            created(Key(call["namespace"], call["name"]), call["uid"], call["userinfo"]["username"])

    for kind in REFERENTS:

        @kopf.on.validate(
            GROUP, VERSION, kind.plural, id=f"validate-{kind.kind.lower()}", param=kind, registry=registry
        )
        async def referent(spec: kopf.Spec, param: Any = None, **call: Any) -> None:
            _refuse(call, param.parse(spec)[1])


def _refuse(call: dict[str, Any], problems: list[Problem]) -> None:
    # An object that was already invalid can still be deleted.
    if problems and not _is_on_its_way_out(call):
        raise kopf.AdmissionError(all_of(problems), code=422)


def _is_on_its_way_out(call: dict[str, Any]) -> bool:
    """Returns whether the object is deleted, or its last finalizers are removed, which is an update."""
    return call.get("operation") == "DELETE" or "deletionTimestamp" in call["meta"]
