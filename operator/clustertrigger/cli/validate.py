"""`kubectl clustertrigger validate`: validates objects as kubectl apply and the operator do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from difflib import get_close_matches
from typing import Any

import click

from clustercontract.counted import counted
from clustertrigger.api import API_VERSION, GROUP
from clustertrigger.api.conditions import Reason
from clustertrigger.cli import completion
from clustertrigger.cli.command import PROG, add_command, global_options
from clustertrigger.cli.given import chosen, filename_option
from clustertrigger.cli.manifests import Manifest
from clustertrigger.cli.scope import Scope
from clustertrigger.cli.terminal import say
from clustertrigger.core.actions.registry import resolve
from clustertrigger.core.kube import paths
from clustertrigger.core.resources.catalog import REFERENTS, Catalog, Unresolved
from clustertrigger.core.resources.labels import wrong_label_key, wrong_label_value
from clustertrigger.core.resources.problem import Problem
from clustertrigger.core.resources.validation import parse_trigger, warnings_of
from clustertrigger.core.schedules.timetable import describe_schedule
from clustertrigger.core.spelling import nearest

_PARSERS: dict[str, Callable[[Any], tuple[object | None, list[Problem]]]] = {
    "ClusterTrigger": parse_trigger,
    **{referent.kind: referent.parse for referent in REFERENTS},
}
_REFERENTS = {referent.kind: referent for referent in REFERENTS}
_MISSED = {referent.not_found: referent.kind for referent in REFERENTS}
_IN_THE_CLUSTER = {
    Reason.BATCH_NOT_FOUND: "batch",
    Reason.CLUSTERS_NOT_FOUND: "last clustering",
    Reason.POD_TEMPLATE_NOT_FOUND: "PodTemplate",
}
"""What no file holds that this command reads."""
_TOP_LEVEL = ("apiVersion", "kind", "metadata", "spec", "status")
_METADATA = (
    *("name", "namespace", "labels", "annotations", "generateName", "finalizers", "ownerReferences", "uid"),
    *("resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"),
    *("managedFields", "selfLink"),
)
_MOST_ANNOTATIONS = 256 << 10
_NEAR_GROUP = 0.8
"""Similarity from which a group is taken for a misspelled one of this API."""
_LISTED = 3
"""Maximum number of kinds in a message."""


def add_validate(group: click.Group) -> None:
    """Declares the command."""

    @add_command(
        group,
        "validate",
        section="Write and check",
        examples=[f"{PROG} validate nightly -n search", f"kustomize build . | {PROG} validate -f -"],
    )
    @global_options
    @click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=completion.triggers)
    @filename_option
    @click.pass_obj
    def command(scope: Scope, names: Sequence[str], filename: Sequence[str]) -> int:
        """Validate triggers and the objects that they refer to.

        Checks the ClusterTriggers, ClusterDefinitions, Collections and Taxonomies of files (-f) as kubectl apply and
        the operator do, and prints a line for each problem, or OK. References are followed within the files; no cluster
        is needed.

        With NAME, checks a trigger of the cluster and the objects that it refers to there.

        Exit code 1: an object is invalid, or there is none.
        """
        return validate(chosen(scope, names, filename), {"ClusterTrigger"} if names else None)


def validate(manifests: list[Manifest], reported: Set[str] | None = None) -> int:
    """Prints a line for each problem, or OK and warnings, for each object of this API.

    Returns 1 if one is invalid, else 0.

    Args:
        manifests: The objects.
        reported: Kinds to report; objects of other kinds are only referred to. None for all.
    """
    own = [manifest for manifest in manifests if is_of_this_api(manifest)]
    if not own:
        *others, last = _PARSERS
        kinds = dict.fromkeys((one.kind or "(no kind)", one.api_version or "(no apiVersion)") for one in manifests)
        found = [f"{kind} of {version}" for kind, version in kinds]
        listed = f", only {', '.join(found[:_LISTED])}{', …' if len(found) > _LISTED else ''}" if found else ""
        say(f"no {', '.join(others)} or {last} of {API_VERSION} found{listed}: check apiVersion and kind")
        return 1
    catalog = _catalog(own)
    in_cluster = reported is not None
    kinds_in_files = {(manifest.namespace, manifest.kind) for manifest in own}
    times = Counter(manifest.title for manifest in own)
    checked = [manifest for manifest in own if reported is None or manifest.kind in reported]
    invalid = 0
    for manifest in checked:
        problems = list(problems_in(manifest))
        if times[manifest.title] > 1:
            problems.append(Problem("metadata.name", manifest.name, "is given twice: rename or remove one of the two"))
        lines = [str(problem) for problem in problems]
        notes: list[str] = []
        warnings: list[Problem] = []
        if not problems and manifest.kind == "ClusterTrigger":
            lines, notes = _references(manifest, catalog, None if in_cluster else kinds_in_files)
            warnings = warnings_in(manifest)
        _report(manifest, lines, notes, warnings)
        invalid += bool(lines)
    if invalid:
        say(f"{invalid} of {counted(len(checked), 'object')} invalid")
    return 1 if invalid else 0


def is_of_this_api(manifest: Manifest) -> bool:
    """Returns whether an object belongs to this API group, or is meant to."""
    group, kind = manifest.api_version.strip().casefold().split("/")[0], manifest.kind.casefold()
    if group == GROUP:
        return True
    # Other groups have kinds such as Collection and ClusterDefinition, but none has a ClusterTrigger.
    has_no_group = "/" not in manifest.api_version
    is_meant = kind == "clustertrigger" or has_no_group or bool(get_close_matches(group, (GROUP,), cutoff=_NEAR_GROUP))
    return is_meant and kind in {known.casefold() for known in _PARSERS}


def problems_in(manifest: Manifest) -> Iterator[Problem]:
    """Yields what is wrong with one object of this API group, without its references."""
    if manifest.api_version != API_VERSION:
        yield Problem("apiVersion", manifest.api_version or None, f"is not a version of the API: write {API_VERSION}")
    for field in manifest.content:
        if field not in _TOP_LEVEL:
            guess = nearest(str(field), _TOP_LEVEL)
            yield Problem(str(field), None, f"unknown field: {f'did you mean {guess}?' if guess else 'remove it'}")
    if manifest.kind not in _PARSERS:
        guess = nearest(manifest.kind, _PARSERS)
        remedy = f"did you mean {guess}?" if guess else f"write one of {', '.join(_PARSERS)}"
        yield Problem("kind", manifest.kind or None, f"no such kind in {GROUP}: {remedy}")
        return
    yield from _metadata_problems(manifest.content)
    if "spec" not in manifest.content:
        yield Problem("spec", None, "is required: set it")
    else:
        yield from _PARSERS[manifest.kind](manifest.content["spec"])[1]


def warnings_in(manifest: Manifest) -> list[Problem]:
    """Yields what the owner of a valid trigger should know."""
    spec, _ = parse_trigger(manifest.content["spec"])
    return warnings_of(spec) if spec else []


def _metadata_problems(content: Mapping[str, Any]) -> Iterator[Problem]:
    metadata = content.get("metadata")
    if not isinstance(metadata, Mapping):
        yield Problem("metadata", metadata, "is required: set metadata.name")
        return
    name = metadata.get("name")
    if name is None and isinstance(metadata.get("generateName"), str):
        yield Problem("metadata.generateName", metadata["generateName"], "does not work with apply: set metadata.name")
    elif name is None:
        yield Problem("metadata.name", None, "is required: set it")
    elif not isinstance(name, str):
        yield Problem("metadata.name", name, _not_text(name))
    elif not paths.is_name(name):
        remedy = "write up to 253 lower-case letters, digits, '-' and '.'"
        yield Problem("metadata.name", name, f"is not an object's name: {remedy}")
    namespace = metadata.get("namespace")
    if namespace is not None and not isinstance(namespace, str):
        yield Problem("metadata.namespace", namespace, _not_text(namespace))
    elif namespace and not paths.is_namespace(namespace):
        remedy = "write up to 63 lower-case letters, digits and '-', with a letter or digit at both ends"
        yield Problem("metadata.namespace", namespace, f"is not a namespace's name: {remedy}")
    for field in metadata:
        if field not in _METADATA:
            guess = nearest(str(field), _METADATA)
            remedy = f"did you mean {guess}?" if guess else "remove it, or move it to spec or to annotations"
            yield Problem(f"metadata.{field}", None, f"unknown field: {remedy}")
    for field in ("labels", "annotations"):
        yield from _pair_problems(field, metadata.get(field) or {})


def _pair_problems(field: str, pairs: object) -> Iterator[Problem]:
    """Yields what the API server refuses in labels or annotations."""
    if not isinstance(pairs, Mapping):
        yield Problem(f"metadata.{field}", pairs, "must be an object: write its keys below it, or remove it")
        return
    size = 0
    for key, given in pairs.items():
        at = f"metadata.{field}.{key}"
        value = "" if given is None else given  # The API server reads it so in metadata.
        # Kubernetes compares the lower case of an annotation's key.
        if (reason := wrong_label_key(str(key).lower() if field == "annotations" else str(key))) is not None:
            yield Problem(at, None, reason)
        if not isinstance(value, str):
            yield Problem(at, value, _not_text(value))
        elif field == "labels" and (reason := wrong_label_value(value)) is not None:
            yield Problem(at, value, reason)
        size += len(f"{key}{value}".encode())
    if field == "annotations" and size > _MOST_ANNOTATIONS:
        reason = f"has {size:,} bytes, and Kubernetes accepts {_MOST_ANNOTATIONS:,}: shorten the values"
        yield Problem(f"metadata.{field}", None, reason)


def _not_text(value: object) -> str:
    """Returns what is wrong with a value, such as 2024, 1e3 or y, that is text only in quotes."""
    if isinstance(value, (list, Mapping)):
        return f"must be a string, and not {'a list' if isinstance(value, list) else 'an object'}: write one value"
    return "must be a string: write it in quotes"


def _catalog(manifests: Iterable[Manifest]) -> Catalog:
    catalog = Catalog()
    for manifest in manifests:
        spec = manifest.content.get("spec")
        if manifest.kind in _REFERENTS and manifest.name and isinstance(spec, dict):
            catalog.put(_REFERENTS[manifest.kind], manifest.namespace, manifest.name, spec)
    return catalog


def _references(
    manifest: Manifest, catalog: Catalog, kinds_in_files: Set[tuple[str, str]] | None
) -> tuple[list[str], list[str]]:
    """Returns what is wrong with the objects that a valid trigger refers to, and what cannot be verified.

    An id is reported as missing only if the files contain objects of its kind in the trigger's namespace; otherwise the
    objects are elsewhere. If `kinds_in_files` is None, the catalog contains the whole namespace.
    """
    spec, _ = parse_trigger(manifest.content["spec"])
    assert spec is not None  # noqa: S101 - called for valid triggers only
    notes = [describe_schedule(spec)]
    work = resolve(catalog, manifest.namespace, spec)
    if not isinstance(work, Unresolved):
        return [], notes
    if (elsewhere := _IN_THE_CLUSTER.get(work.reason)) is not None:
        return [], [*notes, f"its {elsewhere} is looked up in the cluster"]
    kind = _MISSED.get(work.reason)
    if kind is None or kinds_in_files is None or (manifest.namespace, kind) in kinds_in_files:
        return [work.message], []
    return [], [*notes, f"its {kind} is looked up in the cluster"]


def _report(manifest: Manifest, problems: list[str], notes: list[str], warnings: list[Problem]) -> None:
    for problem in problems:
        say(f"{manifest.place}: {manifest.title}: {problem}")
    if not problems:
        say(f"{manifest.place}: {manifest.title}: OK" + (f" ({'; '.join(notes)})" if notes else ""))
    for warning in warnings:
        say(f"{manifest.place}: {manifest.title}: warning: {warning}")
