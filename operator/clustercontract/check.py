"""Defines the contract of a check: its input is a CheckSpec, and its output is a CheckResult with a Measurement.

The worker measures. The operator decides whether the trigger fires (`clustercontract.drift.why_not`): if value >
threshold, value > 2 x noise_floor, and both counts of documents are at least min_documents. See docs/design/drift.md.

A check of drift reads the documents and the baseline's file. A check of volume reads neither: it counts the documents,
and the number that the baseline was computed from is in the CheckSpec.
"""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from clustercontract.base import ApiModel
from clustercontract.baseline import Baseline
from clustercontract.container import RESULT_LIMIT, CollectionInput, ResultsTarget, shortened
from clustercontract.drift import Metric
from clustercontract.engine import Engine

CHECK_SPEC_VARIABLE = "CLUSTERWORKER_CHECK_SPEC"
RECOMPUTE_SLOT = "recompute"
"""Slot of a check that repeats an earlier check. It measures and reports, and does not change the drift record."""

RECORD_FIELD = "drift_record"
"""Name of a field in the last log line of a check. It holds the trigger's last measurements as columns and rows, oldest
first.
"""

Obstacle = Literal["baseline_missing", "baseline_altered", "dimensions_changed", "model_changed"]
"""The reason why a check could not measure.

A new baseline, which the next run writes, removes the first two. It also removes the other two, if the change of the
data was intended.
"""


class CheckSpec(ApiModel):
    """The input of a check.

    Each number of a Measurement depends only on the baseline's file, the collections' documents, `metric` and `seed`.
    Therefore a check can repeat a stored measurement if it gets the measurement's own metric, seed and baseline
    (`baseline_uri`, `baseline_sha256`) and the slot RECOMPUTE_SLOT. The numbers agree to 1e-6 as long as the
    collections are unchanged; only `checked_at` differs.
    """

    version: Literal[1] = 1
    namespace: str
    trigger: str
    check: str = Field(description="Name of the check's Job.")
    slot: str = Field(description="The slot of the check: an RFC 3339 time, or RECOMPUTE_SLOT.")
    collections: list[CollectionInput] = Field(min_length=1)
    metric: Metric
    baseline: Baseline = Field(
        description="The baseline to compare with. Its uri is a path below RESULTS_MOUNT, or s3://bucket/key."
    )
    results: ResultsTarget = Field(
        description="Where the check writes the drift record: <uri>/<namespace>/<trigger>/drift.json. The check also "
        "uses its Secret, endpoint and region to read the baseline."
    )
    threshold: float = Field(description="The check records and plots the threshold; the operator applies it.")
    min_documents: int = Field(
        200, ge=1, description="The check records and plots this minimum; the operator applies it."
    )
    seed: int = Field(description="Seed of the samples and of the permutations.")
    engine: Engine | None = Field(
        None, description="Executors that read the documents. Without it, the check's Pod reads them."
    )


class Measurement(BaseModel):
    """The result of a check's measurement. All numbers are finite; unknown fields are dropped, as in RunResult."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    metric: Metric
    value: float = Field(description="The metric's value.")
    threshold: float = Field(description="The threshold of the CheckSpec.")
    baseline_documents: int = Field(description="Number of documents that the baseline was computed from.")
    current_documents: int = Field(description="Number of documents that the collections contain now.")
    noise_floor: float = Field(
        description="The size of the metric's random variation: on unchanged data, at most 1 % of checks exceed twice "
        "this value."
    )
    assignment_js: float | None = Field(
        None,
        description="Jensen-Shannon distance between the shares of documents per centroid. "
        "Every check of drift computes it, whatever its metric.",
    )
    p_value: float | None = Field(None, description="p-value of the permutation test, for mmd_rbf and domain_auc.")
    advice: str | None = Field(
        None, description="Recommended setting if the metric cannot detect drift on these documents."
    )
    baseline_run: str = Field(description="The run that wrote the baseline.")
    baseline_uri: str
    baseline_sha256: str
    seed: int = Field(description="The seed of the CheckSpec.")
    checked_at: AwareDatetime


class CheckResult(BaseModel):
    """The outcome of a check. Unknown fields are dropped, so that an older operator can read a newer worker's result.

    A check either completes with a measurement, completes with an obstacle (then `error` describes the obstacle in one
    line and `measurement` is absent), or fails with `error`.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    version: Literal[1] = 1
    status: Literal["completed", "failed"]
    error: str | None = Field(None, description="One line that describes the error, where it occurred, and the remedy.")
    measurement: Measurement | None = None
    obstacle: Obstacle | None = None

    def to_message(self) -> str:
        """Returns JSON of at most RESULT_LIMIT bytes. The error is truncated if necessary."""
        message = self.model_dump_json(exclude_none=True)
        if len(message.encode()) <= RESULT_LIMIT:
            return message
        return self.model_copy(update={"error": shortened(self.error)}).model_dump_json(exclude_none=True)
