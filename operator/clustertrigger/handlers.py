"""Kopf's handlers, which answer admission requests. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import kopf
from kubernetes.aio.client import Configuration

from clustertrigger.api import GROUP, VERSION
from clustertrigger.core.resources.catalog import Catalog, Unresolved
from clustertrigger.core.resources.trigger import Key
from clustertrigger.core.resources.validation import (
    Problem,
    all_of,
    parse_collection,
    parse_definition,
    parse_trigger,
    warnings_of,
)

_TOKEN_LIFETIME = timedelta(minutes=5)


def register_login(registry: kopf.OperatorRegistry, configuration: Configuration) -> None:
    """Registers how Kopf reaches the API server, which it asks which kinds there are."""

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        """The same credentials as everything else here uses; a token is read again before it runs out."""
        token = await configuration.get_api_key_with_prefix("BearerToken")
        return kopf.ConnectionInfo(
            server=configuration.host,
            ca_path=configuration.ssl_ca_cert,
            certificate_path=configuration.cert_file,
            private_key_path=configuration.key_file,
            token=token.split(" ", 1)[-1] if token else None,
            insecure=not configuration.verify_ssl,
            expiration=datetime.now(UTC) + _TOKEN_LIFETIME if token else None,
        )


def register_webhooks(
    registry: kopf.OperatorRegistry,
    catalog: Catalog,
    priority_classes: Collection[str],
    created: Callable[[Key, str, str], None],
) -> None:
    """Registers the admission handlers, which say at `kubectl apply` what the conditions would say a moment later.

    Args:
        registry: Kopf's.
        catalog: what ids refer to; one that is unknown is warned of, not refused: its object may be applied next.
        priority_classes: those that triggers may use.
        created: told of each trigger whose creation was admitted: its key, its uid and the user's name.
    """

    @kopf.on.validate(GROUP, VERSION, "clustertriggers", id="validate-clustertrigger", registry=registry)
    async def clustertrigger(spec: kopf.Spec, warnings: list[str], **call: Any) -> None:
        parsed, problems = parse_trigger(spec, priority_classes)
        _refuse(call, problems)
        found = catalog.resolve(call["namespace"], parsed) if parsed and not _is_on_its_way_out(call) else None
        if isinstance(found, Unresolved):
            warnings.append(found.message)
        if parsed and not _is_on_its_way_out(call):
            warnings.extend(map(str, warnings_of(parsed)))
        if call.get("operation") == "CREATE" and not call["dryrun"] and call["namespace"]:
            created(Key(call["namespace"], call["name"]), call["uid"], call["userinfo"]["username"])

    @kopf.on.validate(GROUP, VERSION, "clusterdefinitions", id="validate-clusterdefinition", registry=registry)
    async def clusterdefinition(spec: kopf.Spec, **call: Any) -> None:
        _refuse(call, parse_definition(spec)[1])

    @kopf.on.validate(GROUP, VERSION, "collections", id="validate-collection", registry=registry)
    async def collection(spec: kopf.Spec, **call: Any) -> None:
        _refuse(call, parse_collection(spec)[1])


def _refuse(call: dict[str, Any], problems: list[Problem]) -> None:
    # An object that was invalid all along must still be deletable.
    if problems and not _is_on_its_way_out(call):
        raise kopf.AdmissionError(all_of(problems), code=422)


def _is_on_its_way_out(call: dict[str, Any]) -> bool:
    """Whether the object is deleted, or its last finalizers are removed, which is an update."""
    return call.get("operation") == "DELETE" or "deletionTimestamp" in call["meta"]
