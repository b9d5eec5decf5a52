"""Story of failed runs: one line names the cause, the place and the remedy."""

import re

import pytest

from e2e.stories.data import DOCUMENTS, NAN_ROW, RAGGED_LENGTH, RAGGED_ROW
from e2e.stories.scene import Scene

LINES = {
    "missing-file": r"absent\.parquet: no such file on the volume: check source\.uri",
    "missing-column": r"missing-column\.parquet: no column embedding: it has .*vector.*: set source\.vector_column",
    "nan": rf"nan\.parquet, row {NAN_ROW} .*: column embedding holds NaN: embed that document again or leave it out",
    "ragged": rf"ragged\.parquet, row {RAGGED_ROW} .*: column embedding holds a vector of length {RAGGED_LENGTH} where "
    "384 is expected",
    "empty": r"empty\.parquet: collection empty has no documents: add documents",
    "more-clusters-than-documents": rf"n_clusters 5000 is more than the {DOCUMENTS} documents: lower n_clusters",
    "out-of-memory": r"OOMKilled: .*96Mi.*: raise run\.resources\.limits\.memory",
    "timeout": r"timed out after 5 s: raise run\.timeout_seconds",
    "unschedulable": r"did not start within 8 s \(run\.pending_timeout_seconds\): Unschedulable: .*Insufficient cpu",
}


@pytest.mark.parametrize("name", LINES)
def test_line(scene: Scene, name: str) -> None:
    run = scene.run_ended(name)
    assert run["status"] == "failed"
    assert re.search(LINES[name], run["error"]), run["error"]

    status = scene.status(name)
    assert status["last_execution_error"] == run["error"]
    assert "\n" not in run["error"]
    assert (status["failure_count"], status["consecutive_failures"]) == (1, 1)
    ready = scene.condition(name, "Ready")
    assert ready["status"] == "True", "one failed run leaves the trigger ready for the next"
    scene.shows(name, "LAST RESULT", "failed")
    scene.wait_for_event(name, "RunFailed: ", run["error"][:60])
