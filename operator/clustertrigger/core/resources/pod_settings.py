"""Finds what Kubernetes would refuse in a run's Pod when the trigger is applied, rather than when its Job is created.

The rules are those of the core API's validation: quantities, labels and tolerations. The CRD's schema contains some of
them too, but not on every version of Kubernetes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from decimal import Decimal
from functools import lru_cache

from clustercontract.counted import counted
from clustertrigger.api.engine import EnginePolicy, ExecutorPolicy
from clustertrigger.api.placement import Toleration
from clustertrigger.api.resources import Quantity, Resources
from clustertrigger.api.run_policy import RunPolicy
from clustertrigger.core.resources.labels import (
    DOMAIN,
    problems_in_annotations,
    problems_in_labels,
    wrong_label_key,
    wrong_label_value,
)
from clustertrigger.core.resources.permitted import ANYTHING, Permitted
from clustertrigger.core.resources.placement import problems_in_affinity, problems_in_spreading
from clustertrigger.core.resources.problem import Problem
from clustertrigger.core.spelling import nearest
from clustertrigger.core.text import cut

_QUANTITY = re.compile(
    r"(?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+))"
    r"(?:(?P<suffix>[KMGTPE]i|[numkMGTPE]?)|[eE](?P<exponent>[+-]?\d{1,3}))",
    re.ASCII,
)
_SCALES = {
    "": Decimal(1),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", start=1)},
    **{suffix: Decimal(1000) ** -power for power, suffix in enumerate("mun", start=1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", start=1)},
}
_AMOUNT = re.compile(r"(?P<number>\d+(?:[.,]\d{1,2})?)[ _]*(?P<unit>[A-Za-z]*)", re.ASCII)
_CORES = ("core", "cores", "cpu", "cpus", "vcpu", "vcpus")
_SUFFIXES = {suffix.lower(): suffix for suffix in _SCALES if suffix not in ("m", "u", "n", "E")}
_THOUSANDTHS = re.compile(r"0*(\d{1,6})(?:Mi?)?", re.ASCII)
"""Matches a number of cores that was most likely meant in thousandths of a core: without a unit, or with M for m."""
_LONGEST_SHOWN = 80
_LEAST_BYTES = 1 << 20
"""Bytes of memory or disk below which a quantity most likely lacks its unit: no container starts with as little."""
_MOST_CORES = 256
"""Number of cores from which a quantity without a unit most likely counts thousandths of a core."""
_MOST_MEBIBYTES = 65_536
"""Number up to which memory without a unit most likely counts mebibytes. Larger ones count bytes or KiB."""
_BYTES = ("memory", "ephemeral-storage")
LEAST_EXECUTOR_MEMORY = 1024
"""Minimum memory of an executor in MiB. Spark's Java process alone takes half of it."""
_LARGEST_INTEGER = 2**63 - 1
"""Larger numbers are not integers for the API server."""
_HUGE_PAGES = "hugepages-"
_STANDARD_RESOURCES = ("cpu", "memory", "ephemeral-storage")


def problems_in(run: RunPolicy, permitted: Permitted = ANYTHING) -> list[Problem]:
    """Yields everything that Kubernetes would refuse in this run's Pod, and what the operator does not allow in it.

    Args:
        run: how the trigger's Jobs are run.
        permitted: What the operator's settings permit.
    """
    return [
        *_object_name(run.service_account_name, "service_account_name", "ServiceAccount"),
        *_object_name(run.runtime_class_name, "runtime_class_name", "RuntimeClass"),
        *_object_name(run.priority_class, "priority_class", "WorkloadPriorityClass"),
        *_object_name(run.priority_class_name, "priority_class_name", "PriorityClass"),
        *_priority_class(run.priority_class_name, permitted.priority_classes),
        *(
            problem
            for index, secret in enumerate(run.image_pull_secrets)
            for problem in _object_name(secret.name, f"image_pull_secrets[{index}].name", "Secret")
        ),
        *_resources(run.resources, "spec.run.resources"),
        *_resources(run.check.resources, "spec.run.check.resources"),
        *_node_selector(run.node_selector, "spec.run"),
        *_tolerations(run.tolerations, "spec.run"),
        *_engine(run.engine, permitted),
        *_executor(run.engine.executor),
        *problems_in_affinity(run.affinity, "spec.run.affinity"),
        *problems_in_spreading(run.topology_spread_constraints, "spec.run.topology_spread_constraints"),
        *problems_in_labels(run.pod_labels, "spec.run.pod_labels"),
        *problems_in_annotations(run.pod_annotations, "spec.run.pod_annotations"),
    ]


def warnings_in(run: RunPolicy) -> Iterator[Problem]:
    """Yields the quantities that Kubernetes accepts, and that most likely have the wrong unit."""
    yield from _units(run.resources, "spec.run.resources")
    yield from _units(run.check.resources, "spec.run.check.resources")
    if run.engine.executor is not None:
        yield from _units(run.engine.executor.resources, "spec.run.engine.executor.resources")


def _units(resources: Resources, path: str) -> Iterator[Problem]:
    for part, quantities in (("requests", resources.requests), ("limits", resources.limits)):
        for name, text in quantities.items():
            amount, number = quantity(text), str(text).removesuffix("m")
            if not amount:
                continue
            if name in _BYTES and amount < _LEAST_BYTES:
                is_mebibytes = number.isdecimal() and Decimal(number) <= _MOST_MEBIBYTES
                remedy = f"did you mean {Decimal(number)}Mi?" if is_mebibytes else "write it with Mi or Gi, such as 2Gi"
                yield Problem(f"{path}.{part}.{name}", text, f"is {_in_bytes(amount)}: {remedy}")
            elif name == "cpu" and amount >= _MOST_CORES:
                digits = _THOUSANDTHS.fullmatch(str(text))
                if digits and int(digits[1]) < 1_000 * _MOST_CORES:
                    remedy = f"did you mean {int(digits[1])}m?"
                else:
                    remedy = "write it in cores, such as 2 or 500m"
                yield Problem(f"{path}.{part}.cpu", text, f"is {_plain(amount)} cores: {remedy}")


def _plain(amount: Decimal) -> str:
    return f"{int(amount):,}" if amount == int(amount) else f"{amount:,f}"


def _in_bytes(amount: Decimal) -> str:
    if amount < 1:
        return "less than a byte"
    return counted(int(amount), "byte") if amount == int(amount) else f"about {amount:.1f} bytes"


def _object_name(name: str | None, field: str, kind: str) -> Iterator[Problem]:
    if name is not None and not DOMAIN.fullmatch(name):
        message = (
            "is not a valid Kubernetes name, because each part between dots must begin and end with a letter or "
            f"digit: write the {kind}'s metadata.name"
        )
        yield Problem(f"spec.run.{field}", name, message)


def _priority_class(name: str | None, allowed: Collection[str] | None) -> Iterator[Problem]:
    if name is None or allowed is None or name in allowed:
        return
    remedy = (
        f"write one of {', '.join(sorted(allowed))}"
        if allowed
        else "remove it, because the operator allows no PriorityClass"
    )
    message = (
        f"is not allowed: {remedy}; the operator's administrator sets the list with the chart's value "
        "worker.allowedPriorityClasses"
    )
    yield Problem("spec.run.priority_class_name", name, message)


@lru_cache(maxsize=1024, typed=True)  # Thousands of triggers use the same few quantities.
def quantity(text: Quantity) -> Decimal | None:
    """Returns a Kubernetes quantity, such as `500m`, `2Gi` or `1e3`, as a number; None if it is not one."""
    match = _QUANTITY.fullmatch(str(text))
    if match is None:
        return None
    number = Decimal(match["number"])
    return number.scaleb(int(match["exponent"])) if match["exponent"] else number * _SCALES[match["suffix"] or ""]


def _meant(text: str, resource: str) -> str | None:
    """Returns the quantity for an amount in another notation, such as 2GB, 2gi, 2 Gi or 0,5; None if there is none."""
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        return None
    unit = match["unit"].lower()
    unit = "" if unit in _CORES else unit.removesuffix("b")
    suffix = _SUFFIXES.get(unit) if resource != "cpu" else {"": "", "m": "m", "mi": "m"}.get(unit)
    number = match["number"].replace(",", ".")
    return None if suffix is None or quantity(number) is None else f"{number}{suffix}"


def _resources(resources: Resources, path: str) -> Iterator[Problem]:
    amounts: dict[str, dict[str, Decimal]] = {"requests": {}, "limits": {}}
    for part, quantities in (("requests", resources.requests), ("limits", resources.limits)):
        for name, text in quantities.items():
            field = f"{path}.{part}.{name}"
            amount = quantity(text)
            if amount is None:
                guess = _meant(str(text), name)
                usual = "500m or 2" if name == "cpu" else "500m, 2 or 4Gi"
                remedy = f"did you mean {guess}?" if guess else f"write a number such as {usual}"
                yield Problem(field, text, f"is not a Kubernetes quantity: {remedy}")
            elif amount < 0:
                yield Problem(field, text, "must not be negative: write a positive quantity")
            elif isinstance(text, str) and text[0] in "+-":
                yield Problem(field, text, f"must have no sign: write {text[1:]}")
            elif isinstance(text, int) and text > _LARGEST_INTEGER:
                yield Problem(field, text, "is too large: write a smaller number")
            elif (reason := _wrong_resource(name)) is not None:
                yield Problem(field, text, reason)
            elif _is_extended(name) and amount != amount.to_integral_value():
                yield Problem(field, text, "must be a whole number: this resource is counted in units")
            else:
                amounts[part][name] = amount
    yield from _against_limits(amounts, resources, path)
    yield from _huge_pages(resources, path)


def _against_limits(amounts: Mapping[str, Mapping[str, Decimal]], resources: Resources, path: str) -> Iterator[Problem]:
    for name, amount in amounts["requests"].items():
        field, text = f"{path}.requests.{name}", resources.requests[name]
        limit = amounts["limits"].get(name)
        if limit is None:
            if not _is_overcommittable(name) and name not in resources.limits:
                yield Problem(field, text, f"needs a limit: set resources.limits.{name} to the same value")
        elif amount > limit:
            shown = cut(str(resources.limits[name]), _LONGEST_SHOWN)
            yield Problem(field, text, f"must not exceed the limit {shown}: lower it, or raise resources.limits.{name}")
        elif amount != limit and not _is_overcommittable(name):
            yield Problem(
                field,
                text,
                f"must equal the limit {cut(str(resources.limits[name]), _LONGEST_SHOWN)}: set both to the same value",
            )


def _huge_pages(resources: Resources, path: str) -> Iterator[Problem]:
    has_others = bool({"cpu", "memory"} & {*resources.requests, *resources.limits})
    for name, text in resources.limits.items():
        if not name.startswith(_HUGE_PAGES) or _wrong_resource(name) is not None:
            continue
        field, amount, size = f"{path}.limits.{name}", quantity(text), quantity(name.removeprefix(_HUGE_PAGES))
        if not has_others:
            yield Problem(field, text, "is valid only together with cpu or memory: set one of them too")
        elif amount and size and amount % size:
            yield Problem(field, text, f"must be a multiple of {name.removeprefix(_HUGE_PAGES)}: write whole pages")


def _wrong_resource(name: str) -> str | None:
    if name in _STANDARD_RESOURCES:
        return None
    if name.startswith(_HUGE_PAGES):
        size = quantity(name.removeprefix(_HUGE_PAGES))
        return (
            None
            if size and size > 0
            else "no such resource: write hugepages- and the size of a page, such as hugepages-2Mi"
        )
    if "/" in name:
        if name.startswith("requests."):
            return "begins with requests., which is reserved for quotas: write vendor.domain/resource"
        return wrong_label_key(name)
    guess = nearest(name, _STANDARD_RESOURCES)
    remedy = f"did you mean {guess}?" if guess else "write cpu, memory, ephemeral-storage or vendor.domain/resource"
    return f"no such resource: {remedy}"


def _is_extended(name: str) -> bool:
    return "/" in name and not name.partition("/")[0].endswith("kubernetes.io")


def _is_overcommittable(name: str) -> bool:
    return name in _STANDARD_RESOURCES


def _engine(engine: EnginePolicy, permitted: Permitted) -> Iterator[Problem]:
    if engine.has_executors and not permitted.spark:
        message = (
            "is not enabled: write local, or ask the operator's administrator to set the chart's value "
            "spark.enabled: true"
        )
        yield Problem("spec.run.engine.type", engine.type, message)


def _executor(executor: ExecutorPolicy | None) -> Iterator[Problem]:
    if executor is None:
        return
    path = "spec.run.engine.executor"
    yield from _resources(executor.resources, f"{path}.resources")
    yield from _node_selector(executor.node_selector or {}, path)
    yield from _tolerations(executor.tolerations or (), path)
    for part, quantities in (("requests", executor.resources.requests), ("limits", executor.resources.limits)):
        for name, text in quantities.items():
            if name not in ("cpu", "memory"):
                yield Problem(
                    f"{path}.resources.{part}.{name}", text, "is not supported for executors: write cpu and memory only"
                )
    memory = executor_memory(executor.resources)
    if memory is not None and memory < LEAST_EXECUTOR_MEMORY:
        written = executor.resources.limits.get("memory", executor.resources.requests.get("memory"))
        yield Problem(f"{path}.resources", written, "executors need at least 1Gi of memory: raise memory")


def executor_memory(resources: Resources) -> int | None:
    """Returns the memory of an executor in MiB: its limit, or else its request; None if neither is a quantity."""
    text = resources.limits.get("memory", resources.requests.get("memory"))
    amount = None if text is None else quantity(text)
    return None if amount is None else int(amount) >> 20


def _node_selector(selector: Mapping[str, str], path: str) -> Iterator[Problem]:
    for key, value in selector.items():
        field = f"{path}.node_selector.{key}"
        if (reason := wrong_label_key(key)) is not None:
            yield Problem(field, value, reason)
        if (reason := wrong_label_value(value)) is not None:
            yield Problem(field, value, reason)


def _tolerations(tolerations: Iterable[Toleration], path: str) -> Iterator[Problem]:
    for index, toleration in enumerate(tolerations):
        yield from _toleration(f"{path}.tolerations[{index}]", toleration)


def _toleration(field: str, toleration: Toleration) -> Iterator[Problem]:
    if not toleration.key:
        if toleration.operator != "Exists":
            yield Problem(f"{field}.operator", toleration.operator, "must be Exists without a key: set key or operator")
    elif (reason := wrong_label_key(toleration.key)) is not None:
        yield Problem(f"{field}.key", toleration.key, reason)
    if toleration.operator == "Exists":
        if toleration.value:
            yield Problem(f"{field}.value", toleration.value, "must be empty with operator Exists: remove it")
    elif (reason := wrong_label_value(toleration.value or "")) is not None:
        yield Problem(f"{field}.value", toleration.value, reason)
    if toleration.tolerationSeconds is not None and toleration.effect != "NoExecute":
        message = "is valid only with effect NoExecute: set that effect or remove tolerationSeconds"
        yield Problem(f"{field}.tolerationSeconds", toleration.tolerationSeconds, message)
