"""What callers do to triggers: every step is a request to the API server with the caller's token."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from clustertrigger.api import API_VERSION
from clustertrigger.api.names import ANNOTATION_RESET_REQUESTED, ANNOTATION_RUN_REQUESTED
from clustertrigger.core.instants import format_instant
from clustertrigger.core.jobs.naming import job_name
from clustertrigger.core.jobs.slot import ManualSlot
from clustertrigger.core.kube import paths
from clustertrigger.core.resources.gitops import managed_by, source_of
from clustertrigger.core.resources.trigger import Key
from clustertrigger.core.resources.validation import parse_trigger
from clustertrigger.rest import views
from clustertrigger.rest.actions import action_of
from clustertrigger.rest.api_server import ApiServer, Object
from clustertrigger.rest.errors import FieldError, RefusedError, invalid
from clustertrigger.rest.names import (
    ANNOTATION_NAME,
    ANNOTATION_REQUEST,
    LABEL_IDEMPOTENCY,
    candidates,
    digest,
    name_by_key,
    readable,
)

_ID_PREFIX = "trg_"
_NOT_FOUND, _CONFLICT = 404, 409
_ATTEMPTS = 6
"""How often a change is tried on an object that others change too."""
_LONGEST_WAIT = 3.0
"""Seconds for which a request to run waits until the operator has seen the one before."""
_PAUSE = 0.2
_REMEMBERED = 100_000


class KnownIds:
    """Which object a trigger_id means: it keeps both for life. The latest are kept."""

    def __init__(self) -> None:
        self._names: OrderedDict[tuple[str, str], str] = OrderedDict()

    def learn(self, metadata: Mapping[str, Any], namespace: str) -> None:
        """Remember an object."""
        known = namespace, views.id_of({"metadata": metadata})
        self._names[known] = metadata["name"]
        self._names.move_to_end(known)
        if len(self._names) > _REMEMBERED:
            self._names.popitem(last=False)

    def forget(self, namespace: str, trigger_id: str) -> None:
        """Forget an object that is gone."""
        self._names.pop((namespace, trigger_id), None)

    def name(self, namespace: str, trigger_id: str) -> str | None:
        """The name of the object, if it is known."""
        return self._names.get((namespace, trigger_id))


class Triggers:
    """The triggers of one namespace, as one caller may see and change them.

    Args:
        server: the API server.
        ids: shared by all callers. What an id means is no secret; what the object holds is read with the token.
        token: the caller's.
        namespace: the namespace.
        override_gitops: whether what a GitOps tool applies may be changed.
        action: only triggers of this action are found; None: all.
    """

    def __init__(
        self,
        server: ApiServer,
        ids: KnownIds,
        token: str,
        namespace: str,
        *,
        override_gitops: bool,
        action: str | None = None,
    ) -> None:
        self._server = server
        self._ids = ids
        self._token = token
        self._namespace = namespace
        self._override_gitops = override_gitops
        self._action = action

    def only(self, action: str) -> Triggers:
        """The triggers of one action among these."""
        return Triggers(
            self._server,
            self._ids,
            self._token,
            self._namespace,
            override_gitops=self._override_gitops,
            action=action,
        )

    async def find(self, id_or_name: str) -> Object:
        """The trigger that a trigger_id or a name means.

        Raises:
            RefusedError: there is none, it is one of another action, or the caller may not read it.
        """
        raw = await self._find(id_or_name)
        if self._action is not None and (action := action_of(raw["spec"])) != self._action:
            raise RefusedError(404, f"trigger {id_or_name!r} is a trigger of action {action}: it is at /v1/triggers")
        return raw

    async def _find(self, id_or_name: str) -> Object:
        if not id_or_name.startswith(_ID_PREFIX):
            if not paths.is_name(id_or_name):
                raise self._missing(id_or_name)
            return await self._read(id_or_name)
        name = self._ids.name(self._namespace, id_or_name)
        if name is not None:
            try:
                raw = await self._read(name)
            except RefusedError as problem:
                if problem.status != _NOT_FOUND:
                    raise
                self._ids.forget(self._namespace, id_or_name)
                raise self._missing(id_or_name) from problem
            if views.id_of(raw) == id_or_name:
                return raw
            self._ids.forget(self._namespace, id_or_name)
            raise self._missing(id_or_name)
        for item in await self._server.names(self._token, paths.triggers(self._namespace)):
            self._ids.learn(item["metadata"], self._namespace)
        if (name := self._ids.name(self._namespace, id_or_name)) is None:
            raise self._missing(id_or_name)
        return await self._read(name)

    async def all(self) -> list[Object]:
        """All triggers of the namespace that can be found.

        Raises:
            RefusedError: the caller may not list them.
        """
        listed = await self._server.get(self._token, paths.triggers(self._namespace))
        items: list[Object] = listed.get("items") or []
        for item in items:
            self._ids.learn(item["metadata"], self._namespace)
        return [item for item in items if self._action in (None, action_of(item["spec"]))]

    async def definitions(self) -> list[Object]:
        """All ClusterDefinitions of the namespace; none where the caller may not list them."""
        try:
            listed = await self._server.get(self._token, paths.definitions(self._namespace))
        except RefusedError as problem:
            if problem.status == 403:
                return []
            raise
        items: list[Object] = listed.get("items") or []
        return items

    async def create(
        self, spec: Mapping[str, Any], stem: str, display_name: str | None, key: str | None, field_of: FieldOf
    ) -> Object:
        """Create a trigger.

        Args:
            spec: of the trigger.
            stem: what its name is made of.
            display_name: the name for people; None: the object's.
            key: the Idempotency-Key, if there is one.
            field_of: how the request calls a field of the spec.

        Raises:
            RefusedError: it is invalid, refused, or the key was used for another request.
        """
        _require_valid(spec, field_of)
        metadata: dict[str, Any] = {}
        if display_name is not None:
            metadata["annotations"] = {ANNOTATION_NAME: display_name}
        body = {"apiVersion": API_VERSION, "kind": "ClusterTrigger", "metadata": metadata, "spec": spec}
        created = await (self._create_anew(body, stem) if key is None else self._create_once(body, stem, key))
        self._ids.learn(created["metadata"], self._namespace)
        return created

    async def change(
        self, id_or_name: str, wanted: Mapping[str, Any], display_name: str | None, field_of: FieldOf
    ) -> Object:
        """Change fields of a trigger's spec; schedule_config is replaced as a whole.

        What others change at the same time stays: the change is made on the version that was read, and is tried again
        on a newer one unless that differs in the same fields.

        Args:
            id_or_name: the trigger.
            wanted: fields of the spec.
            display_name: another name for people; None: as it is.
            field_of: how the request calls a field of the spec.

        Raises:
            RefusedError: no such trigger, it comes from GitOps, it would be invalid, or another change is in the way.
        """
        first: Object | None = None
        for _ in range(_ATTEMPTS):
            raw = await self.find(id_or_name)
            self._require_ours(raw)
            if first is not None and any(raw["spec"].get(name) != first["spec"].get(name) for name in wanted):
                break
            first = first or raw
            if "schedule_config" in wanted:
                _require_valid({**raw["spec"], **wanted}, field_of)
            annotations = _resumption(raw) if wanted.get("status") == "active" else {}
            if display_name is not None:
                annotations[ANNOTATION_NAME] = display_name
            if not wanted and not annotations:
                return raw
            body = {
                "metadata": {"resourceVersion": raw["metadata"]["resourceVersion"], "annotations": annotations},
                "spec": {name: _replacement(raw["spec"].get(name), value) for name, value in wanted.items()},
            }
            try:
                return await self._server.merge_patch(self._token, self._path(raw), body)
            except RefusedError as problem:
                if problem.status != _CONFLICT:
                    raise
        raise RefusedError(
            409,
            "somebody else changed the same fields of the trigger meanwhile: read it and change it again",
            code="concurrent_change",
        )

    async def set_status(self, id_or_name: str, wanted: str) -> Object:
        """Pause or resume a trigger; resuming one that has stopped after too many failed runs forgets these.

        Raises:
            RefusedError: there is none, or the caller may not change it.
        """
        raw = await self.find(id_or_name)
        annotations = _resumption(raw) if wanted == "active" else {}
        if raw["spec"].get("status", "active") == wanted and not annotations:
            return raw
        # Whatever else is changed at the same time: it is one field, and this is what it shall be.
        body: dict[str, Any] = {"spec": {"status": wanted}}
        if annotations:
            body["metadata"] = {"annotations": annotations}
        return await self._server.merge_patch(self._token, self._path(raw), body)

    async def delete(self, id_or_name: str) -> None:
        """Delete a trigger and its Jobs.

        Raises:
            RefusedError: there is none, it belongs to a GitOps tool, or the caller may not delete it.
        """
        raw = await self.find(id_or_name)
        self._require_ours(raw)
        await self._server.delete(self._token, self._path(raw), raw["metadata"]["uid"])
        self._ids.forget(self._namespace, views.id_of(raw))

    async def execute(self, id_or_name: str, key: str | None) -> tuple[Object, str]:
        """Request a run.

        Args:
            id_or_name: the trigger.
            key: the Idempotency-Key: the same one is the same run.

        Returns:
            The trigger and the name of the run's Job.

        Raises:
            RefusedError: there is none, its state or its concurrency policy refuses, or the caller may not change it.
        """
        deadline = asyncio.get_running_loop().time() + _LONGEST_WAIT
        token = f"api/{digest(key)}" if key is not None else None
        while True:
            raw = await self.find(id_or_name)
            requested = token or format_instant(datetime.now(UTC))
            metadata, status = raw["metadata"], raw.get("status") or {}
            job = job_name(metadata["name"], metadata["uid"], ManualSlot(requested))
            last = (metadata.get("annotations") or {}).get(ANNOTATION_RUN_REQUESTED)
            if any(run["job_id"] == job for run in status.get("history") or ()) or last == requested:
                return raw, job
            _require_runnable(raw)
            if not last or last == status.get("last_run_requested"):
                annotations = {ANNOTATION_RUN_REQUESTED: requested}
                body = {"metadata": {"resourceVersion": metadata["resourceVersion"], "annotations": annotations}}
                try:
                    return await self._server.merge_patch(self._token, self._path(raw), body), job
                except RefusedError as problem:
                    if problem.status != _CONFLICT:
                        raise
            if asyncio.get_running_loop().time() > deadline:
                raise RefusedError(
                    409,
                    "a run that was requested before has not started yet: try again when it has",
                    code="request_waiting",
                )
            await asyncio.sleep(_PAUSE)

    async def _read(self, name: str) -> Object:
        raw = await self._server.get(self._token, paths.trigger(Key(self._namespace, name)))
        self._ids.learn(raw["metadata"], self._namespace)
        return raw

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
        asked = digest(json.dumps(body, sort_keys=True))
        label = digest(key)
        metadata = {**body["metadata"], "name": name_by_key(stem, key), "labels": {LABEL_IDEMPOTENCY: label}}
        metadata["annotations"] = {**(metadata.get("annotations") or {}), ANNOTATION_REQUEST: asked}
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
        if (found["metadata"].get("annotations") or {}).get(ANNOTATION_REQUEST) != asked:
            raise RefusedError(
                409,
                f"Idempotency-Key was used for another request, which created {found['metadata']['name']}: "
                "use a new key for a new trigger",
                code="idempotency_key_reused",
            )
        return found

    def _require_ours(self, raw: Object) -> None:
        metadata = raw["metadata"]
        tool = managed_by(metadata)
        if tool is None or self._override_gitops:
            return
        source = source_of(metadata)
        where = f", from its {source}" if source else ""
        raise RefusedError(
            409,
            f"trigger {metadata['name']!r} is applied by {tool}{where}, which would take the change back: change it at "
            "its source",
            code="managed_by_gitops",
            details={"tool": tool, "source": source},
        )

    def _path(self, raw: Object) -> str:
        return paths.trigger(Key(self._namespace, raw["metadata"]["name"]))

    def _missing(self, id_or_name: str) -> RefusedError:
        return RefusedError(
            404, f"there is no trigger {id_or_name!r} in namespace {self._namespace!r}: list shows those that exist"
        )


FieldOf = Callable[[str], str]
"""How a request calls a field of the spec."""


def _require_valid(spec: Mapping[str, Any], field_of: FieldOf) -> None:
    _, problems = parse_trigger(spec)
    if problems:
        named = [type(problem)(field_of(problem.field), problem.value, problem.message) for problem in problems]
        raise invalid(FieldError(problem) for problem in named)


def _require_runnable(raw: Object) -> None:
    name, state = raw["metadata"]["name"], views.effective_status(raw)
    if state != "active":
        raise RefusedError(409, f"trigger {name!r} is {state} and does not run: resume it first", code="not_active")
    active = views.active_runs(raw)
    policy = (raw["spec"].get("run") or {}).get("concurrency_policy", "Forbid")
    if active and policy == "Forbid":
        raise RefusedError(
            409,
            f"trigger {name!r} has an active run, {active[0]['job_id']}, and its concurrency policy is Forbid: wait "
            "until that has ended",
            code="already_running",
            details={"task_id": active[0]["job_id"]},
        )


def _resumption(raw: Object) -> dict[str, str]:
    """What lets a trigger fire again that has stopped after too many failed runs."""
    stopped = (raw.get("status") or {}).get("status") == "failed" and raw["spec"].get("status", "active") != "failed"
    return {ANNOTATION_RESET_REQUESTED: format_instant(datetime.now(UTC))} if stopped else {}


def _replacement(before: object, after: object) -> object:
    """The merge patch that replaces an object by another: what the new one lacks is removed."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return {**dict.fromkeys(before), **{name: _replacement(before.get(name), after[name]) for name in after}}
    return after


def stem_of(*texts: str | None) -> str:
    """The first of some texts that names can be made of."""
    return next((stem for text in texts if text and (stem := readable(text))), "trigger")
