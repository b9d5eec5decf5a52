"""Executes what callers request: every step is a request to the API server with the caller's token."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from clustertrigger.api import API_VERSION
from clustertrigger.api.names import ANNOTATION_RESET_REQUESTED, ANNOTATION_RUN_REQUESTED
from clustertrigger.core.effective_state import has_stopped, obstacle
from clustertrigger.core.instants import format_instant
from clustertrigger.core.jobs.naming import job_name
from clustertrigger.core.jobs.slot import ManualSlot
from clustertrigger.core.kube import paths
from clustertrigger.core.requested import run_requested
from clustertrigger.core.resources.gitops import managed_by, source_of
from clustertrigger.core.resources.trigger import Key
from clustertrigger.core.resources.validation import parse_trigger
from clustertrigger.rest import views
from clustertrigger.rest.actions import action_of
from clustertrigger.rest.api_server import ApiServer
from clustertrigger.rest.cache import Cache
from clustertrigger.rest.definitions import Definitions
from clustertrigger.rest.errors import FieldError, RefusedError, invalid
from clustertrigger.rest.index import Entry, TriggerIndex
from clustertrigger.rest.names import (
    ANNOTATION_NAME,
    ANNOTATION_REQUEST,
    LABEL_IDEMPOTENCY,
    candidates,
    digest,
    name_by_key,
    readable,
)
from clustertrigger.rest.objects import Object
from clustertrigger.rest.rights import Rights
from clustertrigger.rest.settings import Settings

_ID_PREFIX = "trg_"
_FORBIDDEN, _NOT_FOUND, _CONFLICT = 403, 404, 409
_ATTEMPTS = 6
"""How often a change is retried on an object that others change too."""
_LONGEST_WAIT = 3.0
"""Seconds for which a request to run waits until the operator has seen the previous one."""
_PAUSE = 0.2
_SIGN_OF_LIFE = 10.0
"""Seconds after which a caller who waits for changes gets an empty response."""


class Backend:
    """What all callers share.

    Args:
        server: The API server.
        settings: Which namespaces are watched, and what may be changed.
    """

    def __init__(self, server: ApiServer, settings: Settings) -> None:
        self.server = server
        self.cache = Cache(server, settings.namespaces)
        self.rights = Rights(server, settings.rights_seconds)
        self.override_gitops = settings.override_gitops
        self.worker_image = settings.worker_image
        self.worker_pull_secrets = settings.pull_secrets


class Triggers:
    """The triggers of one namespace, as one caller may see and change them.

    Responses come from the cache if the API server allows the caller to list the namespace. Changes are read and
    written with the caller's token.

    Args:
        backend: What all callers share.
        token: The caller's token.
        namespace: The namespace.
        action: Only triggers of this action are found; None for all.
        uncached: Whether everything is read from the API server.
    """

    def __init__(
        self, backend: Backend, token: str, namespace: str, *, action: str | None = None, uncached: bool = False
    ) -> None:
        self._backend = backend
        self._server = backend.server
        self._cache = backend.cache
        self._token = token
        self._namespace = namespace
        self._action = action
        self._uncached = uncached

    async def cluster_id(self) -> str:
        """Returns the Kubernetes cluster's id; empty if unknown."""
        return await self._server.cluster_id()

    async def index(self) -> TriggerIndex:
        """Returns all triggers of the namespace, whatever their action.

        Raises:
            RefusedError: the caller may not list them.
        """
        known = self._cache.triggers(self._namespace)
        if known is not None and await self._may_list(paths.triggers(self._namespace)):
            return known
        listed = await self._server.get(self._token, paths.triggers(self._namespace))
        return TriggerIndex(map(Entry, listed.get("items") or ()))

    async def entry(self, id_or_name: str) -> Entry:
        """Returns the trigger with a trigger_id or a name, for display.

        Raises:
            RefusedError: It does not exist, has another action, or the caller lacks the permission to read it.
        """
        known = self._cache.triggers(self._namespace)
        if known is not None and await self._may_list(paths.triggers(self._namespace)):
            found = known.get(id_or_name) or known.get(known.name_of(id_or_name) or "")
            # The trigger may have been created a moment ago.
            if found is not None and self._action in (None, found.action_type):
                return found
        return Entry(await self.find(id_or_name))

    async def changes(self) -> AsyncIterator[set[str]]:
        """Yields, in an endless loop, the names of the triggers that were changed, created or deleted.

        The first set is empty and is yielded at once, so that what is read after it misses nothing. Another empty set
        follows every few seconds, so that a closed connection is noticed. If the namespace is not watched, all sets are
        empty, and everything may have changed.

        Raises:
            RefusedError: The caller does not have, or no longer has, the permission to list them.
        """
        path = paths.triggers(self._namespace)
        with self._cache.listening(self._namespace) as subscription:
            names: set[str] = set()
            while True:
                if not await self._backend.rights.may_list(self._token, path):
                    await self._server.names(self._token, path, limit="1")  # This raises the API server's error.
                yield names
                names = await subscription.within(_SIGN_OF_LIFE)

    async def find(self, id_or_name: str) -> Object:
        """Returns the current trigger of the API server with a trigger_id or a name.

        Raises:
            RefusedError: It does not exist, has another action, or the caller lacks the permission to read it.
        """
        raw = await self._find(id_or_name)
        if self._action is not None and (action := action_of(raw["spec"])) != self._action:
            raise RefusedError(404, f"trigger {id_or_name!r} has the action {action}: use /v1/triggers")
        return raw

    async def _find(self, id_or_name: str) -> Object:
        if not id_or_name.startswith(_ID_PREFIX):
            if not paths.is_name(id_or_name):
                raise self._missing(id_or_name)
            return await self._existing(id_or_name, id_or_name)
        # The meaning of an ID is not secret; the object is read with the caller's token.
        name = self._cache.name_of(self._namespace, id_or_name)
        if name is None:
            items = await self._server.names(self._token, paths.triggers(self._namespace))
            named = (item["metadata"]["name"] for item in items if views.id_of(item) == id_or_name)
            name = next(named, None)
        if name is None:
            raise self._missing(id_or_name)
        raw = await self._existing(name, id_or_name)
        if views.id_of(raw) != id_or_name:
            raise self._missing(id_or_name)
        return raw

    async def _existing(self, name: str, id_or_name: str) -> Object:
        """Returns the object with a name. The error names the trigger as the caller does."""
        try:
            return await self._read(name)
        except RefusedError as problem:
            if problem.status != _NOT_FOUND:
                raise
            raise self._missing(id_or_name) from problem

    async def definitions(self) -> Definitions:
        """Returns all ClusterDefinitions of the namespace; none if the caller may not list them."""
        path = paths.definitions(self._namespace)
        known = self._cache.definitions(self._namespace)
        try:
            if known is not None and not self._uncached:
                return known if await self._backend.rights.may_list(self._token, path) else Definitions()
            listed = await self._server.get(self._token, path)
        except RefusedError as problem:
            if problem.status == _FORBIDDEN:
                return Definitions()
            raise
        return Definitions(listed.get("items") or ())

    async def create(
        self, spec: Mapping[str, Any], stem: str, display_name: str | None, key: str | None, field_of: FieldOf
    ) -> Entry:
        """Creates a trigger.

        Args:
            spec: Spec of the trigger.
            stem: What its name is derived from.
            display_name: The display name; None for the object's name.
            key: The Idempotency-Key; None if there is none.
            field_of: Returns the request's name of a field of the spec.

        Raises:
            RefusedError: it is invalid, refused, or the key was used for another request.
        """
        _require_valid(spec, field_of)
        metadata: dict[str, Any] = {}
        if display_name is not None:
            metadata["annotations"] = {ANNOTATION_NAME: display_name}
        body = {"apiVersion": API_VERSION, "kind": "ClusterTrigger", "metadata": metadata, "spec": spec}
        return self._seen(await (self._create_anew(body, stem) if key is None else self._create_once(body, stem, key)))

    async def change(
        self, id_or_name: str, wanted: Mapping[str, Any], display_name: str | None, field_of: FieldOf
    ) -> Entry:
        """Changes fields of a trigger's spec; schedule_config is replaced as a whole.

        Concurrent changes of others are kept: the change is made on the version that was read, and retried on a newer
        one unless that differs in the same fields.

        Args:
            id_or_name: The trigger.
            wanted: Fields of the spec.
            display_name: Another display name; None to keep it.
            field_of: Returns the request's name of a field of the spec.

        Raises:
            RefusedError: The trigger does not exist, a GitOps tool applies it, it would be invalid, or the change
            conflicts with another one.
        """
        first: Object | None = None
        for _ in range(_ATTEMPTS):
            raw = await self.find(id_or_name)
            self._require_changeable(raw)
            if first is not None and any(raw["spec"].get(name) != first["spec"].get(name) for name in wanted):
                break
            first = first or raw
            if "schedule_config" in wanted:
                _require_valid({**raw["spec"], **wanted}, field_of)
            annotations = _resumption(raw) if wanted.get("status") == "active" else {}
            if display_name is not None:
                annotations[ANNOTATION_NAME] = display_name
            if not wanted and not annotations:
                return Entry(raw)
            body = {
                "metadata": {"resourceVersion": raw["metadata"]["resourceVersion"], "annotations": annotations},
                "spec": {name: _replacement(raw["spec"].get(name), value) for name, value in wanted.items()},
            }
            try:
                return self._seen(await self._server.merge_patch(self._token, self._path(raw), body))
            except RefusedError as problem:
                if problem.status != _CONFLICT:
                    raise
        raise RefusedError(
            409,
            "another client changed the same fields of the trigger: read the trigger again and repeat the change",
            code="concurrent_change",
        )

    async def set_status(self, id_or_name: str, status: str) -> Entry:
        """Pauses or resumes a trigger.

        Resuming a trigger that has stopped after too many failed runs resets its failures.

        Raises:
            RefusedError: It does not exist, or the caller lacks the permission to change it.
        """
        raw = await self.find(id_or_name)
        annotations = _resumption(raw) if status == "active" else {}
        if raw["spec"].get("status", "active") == status and not annotations:
            return self._seen(raw)
        # Concurrent changes do not matter, because only this field is set.
        body: dict[str, Any] = {"spec": {"status": status}}
        if annotations:
            body["metadata"] = {"annotations": annotations}
        return self._seen(await self._server.merge_patch(self._token, self._path(raw), body))

    async def reset(self, id_or_name: str) -> Object:
        """Sets the number of consecutive failures to 0, so that a trigger which has stopped fires again.

        Raises:
            RefusedError: It does not exist, or the caller lacks the permission to change it.
        """
        raw = await self.find(id_or_name)
        annotations = {ANNOTATION_RESET_REQUESTED: format_instant(datetime.now(UTC))}
        return await self._server.merge_patch(self._token, self._path(raw), {"metadata": {"annotations": annotations}})

    async def delete(self, id_or_name: str) -> None:
        """Deletes a trigger and its Jobs.

        Raises:
            RefusedError: It does not exist, a GitOps tool applies it, or the caller lacks the permission to delete it.
        """
        raw = await self.find(id_or_name)
        self._require_changeable(raw)
        name, uid = raw["metadata"]["name"], raw["metadata"]["uid"]
        left = await self._server.delete(self._token, self._path(raw), uid)
        if left.get("kind") == "Status":
            self._cache.lost(self._namespace, name, uid)

    async def execute(self, id_or_name: str, key: str | None) -> tuple[Object, str]:
        """Requests a run.

        Args:
            id_or_name: The trigger.
            key: The Idempotency-Key: requests with the same key request the same run.

        Returns:
            The trigger and the name of the run's Job.

        Raises:
            RefusedError: It does not exist, its state or its concurrency policy forbids the run, or the caller lacks
            the permission to change it.
        """
        deadline = asyncio.get_running_loop().time() + _LONGEST_WAIT
        token = f"api/{digest(key)}" if key is not None else None
        while True:
            raw = await self.find(id_or_name)
            requested = token or format_instant(datetime.now(UTC))
            metadata, status = raw["metadata"], raw.get("status") or {}
            job = job_name(metadata["name"], metadata["uid"], ManualSlot(requested))
            last = run_requested(raw)
            if any(run["job_id"] == job for run in status.get("history") or ()) or last == requested:
                return raw, job
            _require_runnable(raw)
            if not last or last == status.get("last_run_requested"):
                annotations = {ANNOTATION_RUN_REQUESTED: requested}
                body = {"metadata": {"resourceVersion": metadata["resourceVersion"], "annotations": annotations}}
                try:
                    changed = await self._server.merge_patch(self._token, self._path(raw), body)
                except RefusedError as problem:
                    if problem.status != _CONFLICT:
                        raise
                else:
                    self._seen(changed)
                    return changed, job
            if asyncio.get_running_loop().time() > deadline:
                raise RefusedError(
                    409,
                    "an earlier requested run has not started yet: try again after it starts",
                    code="request_waiting",
                )
            await asyncio.sleep(_PAUSE)

    async def _read(self, name: str) -> Object:
        return await self._server.get(self._token, paths.trigger(Key(self._namespace, name)))

    async def _may_list(self, path: str) -> bool:
        return not self._uncached and await self._backend.rights.may_list(self._token, path)

    def _seen(self, raw: Object) -> Entry:
        """Stores what the API server has returned, which is newer than the watch."""
        entry = Entry(raw)
        self._cache.saw(entry)
        return entry

    async def _create_anew(self, body: dict[str, Any], stem: str) -> Object:
        taken: RefusedError | None = None
        for name in candidates(stem):
            metadata = {**body["metadata"], "name": name}
            try:
                return await self._server.create(
                    self._token, paths.triggers(self._namespace), {**body, "metadata": metadata}
                )
            except RefusedError as problem:
                if problem.status != _CONFLICT:
                    raise
                taken = problem
        raise taken or RuntimeError("no name to try")

    async def _create_once(self, body: dict[str, Any], stem: str, key: str) -> Object:
        fingerprint = digest(json.dumps(body, sort_keys=True))
        label = digest(key)
        metadata = {**body["metadata"], "name": name_by_key(stem, key), "labels": {LABEL_IDEMPOTENCY: label}}
        metadata["annotations"] = {**(metadata.get("annotations") or {}), ANNOTATION_REQUEST: fingerprint}
        path = paths.triggers(self._namespace)
        earlier = await self._server.get(self._token, path, labelSelector=f"{LABEL_IDEMPOTENCY}={label}")
        if not (items := earlier.get("items") or []):
            try:
                return await self._server.create(self._token, path, {**body, "metadata": metadata})
            except RefusedError as problem:
                if problem.status != _CONFLICT:
                    raise
            items = [await self._read(metadata["name"])]
        found: Object = items[0]
        if (found["metadata"].get("annotations") or {}).get(ANNOTATION_REQUEST) != fingerprint:
            raise RefusedError(
                409,
                "the Idempotency-Key was already used for a different request, which created "
                f"{found['metadata']['name']}: use a new key for a new trigger",
                code="idempotency_key_reused",
            )
        return found

    def _require_changeable(self, raw: Object) -> None:
        metadata = raw["metadata"]
        tool = managed_by(metadata)
        if tool is None or self._backend.override_gitops:
            return
        source = source_of(metadata)
        where = f", from its {source}" if source else ""
        raise RefusedError(
            409,
            f"trigger {metadata['name']!r} is applied by {tool}{where}, which would revert the change: change the "
            "trigger at its source",
            code="managed_by_gitops",
            details={"tool": tool, "source": source},
        )

    def _path(self, raw: Object) -> str:
        return paths.trigger(Key(self._namespace, raw["metadata"]["name"]))

    def _missing(self, id_or_name: str) -> RefusedError:
        return RefusedError(
            404,
            f"there is no trigger {id_or_name!r} in namespace {self._namespace!r}: list the triggers to see "
            "which exist",
        )


FieldOf = Callable[[str], str]
"""Returns the request's name of a field of the spec."""


def _require_valid(spec: Mapping[str, Any], field_of: FieldOf) -> None:
    _, problems = parse_trigger(spec)
    if problems:
        named = [type(problem)(field_of(problem.field), problem.value, problem.message) for problem in problems]
        raise invalid(FieldError(problem) for problem in named)


def _require_runnable(raw: Object) -> None:
    name, found = raw["metadata"]["name"], obstacle(raw)
    if found is None:
        return
    if found.run is not None:
        raise RefusedError(
            409,
            f"trigger {name!r} has an active run, {found.run}, and its concurrency policy is Forbid: wait until that "
            "run ends",
            code="already_running",
            details={"task_id": found.run},
        )
    raise RefusedError(409, f"trigger {name!r} is {found.status} and cannot run: resume it first", code="not_active")


def _resumption(raw: Object) -> dict[str, str]:
    """Returns the change that lets a trigger fire again after too many failed runs."""
    return {ANNOTATION_RESET_REQUESTED: format_instant(datetime.now(UTC))} if has_stopped(raw) else {}


def _replacement(before: object, after: object) -> object:
    """Returns the merge patch that replaces an object by another; fields that the new one lacks are removed."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return {**dict.fromkeys(before), **{name: _replacement(before.get(name), after[name]) for name in after}}
    return after


def stem_of(*texts: str | None) -> str:
    """Returns the first of some texts that a name can be derived from."""
    return next((stem for text in texts if text and (stem := readable(text))), "trigger")
