"""The metrics and labels of PromQL expressions, compared with those that the operator exposes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import promql_parser
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric

from clustertrigger.shell.metrics.process import Metrics
from clustertrigger.shell.metrics.triggers import TriggerCollector

TARGET_LABELS = frozenset({"job", "namespace", "pod"})
"""Labels that Prometheus adds to every sample of a Pod behind a Service."""
_OF_THE_PROCESS = ("process_cpu_seconds_total", "process_resident_memory_bytes")
"""Metrics that are exposed on Linux only, where the operator runs, but not always where tests run."""
_SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


@dataclass(frozen=True)
class Matcher:
    """A condition on a label.

    Attributes:
        label: Name of the label.
        values: Allowed values; empty if all are allowed, or if a dashboard's variable determines them.
    """

    label: str
    values: frozenset[str]


@dataclass
class Asked:
    """The series and labels that one expression uses.

    Attributes:
        series: Names of metrics, each with the conditions on it.
        grouped: Labels that remain after aggregation.
    """

    series: list[tuple[str, list[Matcher]]] = field(default_factory=list)
    grouped: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Exposed:
    """A series that the operator exposes.

    Attributes:
        labels: The operator's own labels, without those of the target.
        said: The help text, which lists values of labels.
        buckets: Values of `le`, if it has this label.
    """

    labels: frozenset[str]
    said: str
    buckets: frozenset[str]


def read(expression: str) -> Asked:
    """Parses an expression.

    Raises:
        ValueError: it is not PromQL.
    """
    asked = Asked()

    def visit(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.MatrixSelector):
            node = node.vector_selector
        if isinstance(node, promql_parser.VectorSelector):
            asked.series.append((node.name or "", [_matcher(one) for one in node.matchers.matchers]))
        elif isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            asked.grouped.update(node.modifier.labels)

    promql_parser.walk(promql_parser.parse(expression), visit)
    return asked


def _matcher(one: promql_parser.Matcher) -> Matcher:
    if one.op == promql_parser.MatchOp.Equal:
        values = [one.value]
    elif one.op == promql_parser.MatchOp.Re:
        values = one.value.split("|")
    else:
        values = []
    return Matcher(one.name, frozenset(value for value in values if re.fullmatch(r"[\w.]+", value)))


def exposed() -> dict[str, Exposed]:
    """All series of an operator by name."""
    metrics = Metrics()
    found: dict[str, Exposed] = {}
    for wrapper in vars(metrics).values():
        if isinstance(wrapper, MetricWrapperBase):
            (family,) = wrapper.describe()
            buckets = {str(bound) for bound in getattr(wrapper, "_upper_bounds", ())}
            found.update(_series(family, wrapper._labelnames, buckets))
    for family in TriggerCollector(tuple).describe():
        found.update(_series(family, family._labelnames))
    return {**found, **{name: Exposed(frozenset(), "", frozenset()) for name in _OF_THE_PROCESS}}


def _series(family: Metric, labels: tuple[str, ...] = (), buckets: Iterable[str] = ()) -> Iterator[tuple[str, Exposed]]:
    for suffix in _SUFFIXES[family.type]:
        beside = ("le",) if suffix == "_bucket" else ()
        yield family.name + suffix, Exposed(frozenset({*labels, *beside}), family.documentation, frozenset(buckets))


def mistakes(expression: str) -> list[str]:
    """Returns the series and labels of an expression that the operator does not expose."""
    asked, known = read(expression), exposed()
    wrong = [f"no metric {name}" for name, _ in asked.series if name not in known]
    there = [(known[name], name, matchers) for name, matchers in asked.series if name in known]
    for series, name, matchers in there:
        for matcher in matchers:
            if matcher.label not in series.labels | TARGET_LABELS:
                wrong.append(f"{name} has no label {matcher.label}")
            elif matcher.label == "le":
                wrong += [f"{name} has no bucket {value}" for value in matcher.values - series.buckets]
            elif matcher.label == "result":
                wrong += [f"{name} has no result {value}" for value in matcher.values if value not in series.said]
    labels = TARGET_LABELS.union(*(series.labels for series, _, _ in there))
    return wrong + [f"nothing has the label {label}" for label in asked.grouped - labels]
