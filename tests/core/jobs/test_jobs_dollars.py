"""Tests that the kubelet's expansion of $(NAME) and $$ in variables does not change the worker's input."""

from __future__ import annotations

import re

import pytest

from clustercontract.run import RunSpec
from clustertrigger.core.actions.cluster import ClusterWork
from clustertrigger.core.jobs.jobs import JobRequest, build_job
from clustertrigger.core.jobs.slot import ScheduledSlot
from clustertrigger.core.resources.validation import parse_collection
from tests.core.builders import DEFAULTS, HOURLY, at, trigger


def expanded(text: str) -> str:
    """Expands like a kubelet that knows KUBERNETES_SERVICE_HOST."""

    def one(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return "10.0.0.1" if match[1] == "KUBERNETES_SERVICE_HOST" else match[0]

    return re.sub(r"\$\$|\$\(([^)]*)\)", one, text)


@pytest.mark.parametrize("uri", ["a$$b.parquet", "$(KUBERNETES_SERVICE_HOST)", "$", "$$(NAME)", "a$(b"])
def test_a_path_reaches_the_worker_as_it_was_written(uri: str) -> None:
    it = trigger(HOURLY)
    collection, problems = parse_collection({"source": {"uri": uri}, "volume": "data"})
    assert collection is not None, problems
    assert it.spec is not None
    assert it.spec.execution_config is not None
    work = ClusterWork(execution=it.spec.execution_config, collections=(("col_a", collection),))
    job = build_job(JobRequest(it, it.spec, work, "products-1", ScheduledSlot(at(hours=1)), DEFAULTS))
    (variable,) = job["spec"]["template"]["spec"]["containers"][0]["env"]
    said = RunSpec.model_validate_json(expanded(variable["value"]))
    assert said.collections[0].source.uri == uri
