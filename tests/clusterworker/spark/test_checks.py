"""Tests that a check on Spark measures what a local check measures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from clustercontract.check import CheckResult, CheckSpec
from clusterworker.process.errors import MisconfiguredError
from clusterworker.process.progress import Progress
from clusterworker.run.checking import carry_out_check
from clusterworker.spark.executors import Executors
from tests.clusterworker.conftest import Pod
from tests.clusterworker.drift.drifting import KMEANS, check_spec
from tests.clusterworker.planted import planted, table
from tests.clusterworker.spark.conftest import ENGINE, modules_of

pytestmark = pytest.mark.xdist_group("spark")

DATA = planted(3_000, 4, dimensions=24, spread=0.2)
MIXED = np.random.default_rng(3).permutation(3_000)
NUMBERS = {"value", "noise_floor", "assignment_js", "p_value"}


def documents(pod: Pod, vectors: Any) -> None:
    for number, part in enumerate(np.array_split(vectors, 3)):
        pq.write_table(table(part), pod.volume / f"{number}.parquet", row_group_size=170)


def drifted(pod: Pod, clustered_by: str, **fields: Any) -> CheckSpec:
    """A check after a topic was replaced by another one."""
    documents(pod, DATA.vectors[MIXED[DATA.labels[MIXED] < 3]])
    spec = pod.spec({**KMEANS, "metric": clustered_by}, {"uri": "."})
    result = pod.run(spec)
    documents(pod, DATA.vectors[MIXED[DATA.labels[MIXED] > 0]] * np.float32(1.5))
    return check_spec(spec, result, **fields)


def checked(pod: Pod, spec: CheckSpec, **changes: Any) -> CheckResult:
    own = CheckSpec.model_validate({**spec.model_dump(), **changes})
    return carry_out_check(own, Progress(pod.log), pod.mounts)


@pytest.mark.parametrize("cluster_metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("metric", ["cosine_drift", "assignment_js", "mmd_rbf", "domain_auc"])
def test_a_check_on_spark_equals_a_local_one(pod: Pod, on_spark: Executors, metric: str, cluster_metric: str) -> None:
    spec = drifted(pod, cluster_metric, metric=metric)
    local, spark = (checked(pod, spec, engine=engine).measurement for engine in (None, ENGINE))
    assert local is not None
    assert spark is not None
    exclude = {"checked_at", *NUMBERS}
    assert spark.model_dump(exclude=exclude) == local.model_dump(exclude=exclude)
    assert (spark.p_value is None) == (local.p_value is None)
    for name in NUMBERS - ({"p_value"} if local.p_value is None else set()):
        # The sums of the parts are added to one another, in float64.
        assert getattr(spark, name) == pytest.approx(getattr(local, name), rel=1e-9, abs=1e-12), name
    assert spark.value > 2 * spark.noise_floor
    assert any("documents were read by Spark, 2 at a time" in line["message"] for line in pod.messages)
    assert list(pod.results.rglob(".*stages*")) == [], "no stage is left"


def test_bad_data_is_refused_as_by_a_local_check(pod: Pod, on_spark: Executors) -> None:
    spec = drifted(pod, "cosine")
    vectors = DATA.vectors[:600].copy()
    vectors[333] = 0
    documents(pod, vectors)
    said = []
    for engine in (None, ENGINE):
        with pytest.raises(MisconfiguredError) as refused:
            checked(pod, spec, engine=engine)
        said.append(str(refused.value))
    assert said[0] == said[1]
    assert "a vector of zeros has no direction" in said[1]
    assert list(pod.results.rglob(".*stages*")) == []


def test_an_obstacle_is_found_before_spark_starts(pod: Pod) -> None:
    """No Java process is started: this test uses no fixture for it."""
    spec = drifted(pod, "cosine")
    documents(pod, planted(100, 2, dimensions=8).vectors)
    assert checked(pod, spec, engine=ENGINE).obstacle == "dimensions_changed"


def test_auto_reads_few_documents_itself(pod: Pod) -> None:
    spec = drifted(pod, "cosine")
    result = checked(pod, spec, engine={**ENGINE, "type": "auto", "local_below": 3_000})
    assert result.measurement is not None
    assert not any("Spark" in line["message"] for line in pod.messages)


def test_a_local_check_loads_nothing_of_spark(pod: Pod) -> None:
    modules = modules_of(pod, "check", drifted(pod, "cosine"))
    assert "clusterworker.drift.profile" in modules
    assert not [name for name in modules if name.startswith(("pyspark", "py4j", "clusterworker.spark"))]
